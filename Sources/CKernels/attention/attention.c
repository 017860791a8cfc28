// Parts and scratch of attention: functions of shapes, the same for all instruction sets.
#include "attention_plan.h"

long ck_attention_parts(const struct ck_attention *attention) {
  return attention->samples * attention->heads * ck_attention_plan(attention).blocks;
}

size_t ck_attention_scratch(const struct ck_attention *attention) {
  const struct ck_attention_plan plan = ck_attention_plan(attention);
  return ck_attention_layout(attention, &plan).floats * sizeof(float);
}
