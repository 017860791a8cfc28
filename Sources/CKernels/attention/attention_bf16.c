// Parts and scratch of attention on bf16: functions of shapes, the same for all instruction sets.
#include "attention_bf16_plan.h"

long ck_attention_bf16_parts(const struct ck_attention *attention) {
  return attention->samples * attention->heads * ck_attention_bf16_plan(attention).blocks;
}

size_t ck_attention_bf16_scratch(const struct ck_attention *attention) {
  const struct ck_attention_bf16_plan plan = ck_attention_bf16_plan(attention);
  return ck_attention_bf16_layout(&plan).bytes;
}
