// The kernels' texts, which NVRTC compiles.
#include "sd_cuda_sources.h"

#include <string.h>

static const char cu_kernels_h[] = {
#embed "include/cu_kernels.h"
  , 0};
static const char machine_cuh[] = {
#embed "kernels/machine.cuh"
  , 0};
static const char prelude_cuh[] = {
#embed "kernels/prelude.cuh"
  , 0};
static const char multiply_cuh[] = {
#embed "kernels/multiply.cuh"
  , 0};
static const char wgmma_cuh[] = {
#embed "kernels/wgmma.cuh"
  , 0};
static const char epilogue_cuh[] = {
#embed "kernels/epilogue.cuh"
  , 0};
static const char conv_cu[] = {
#embed "kernels/conv.cu"
  , 0};
static const char conv_wgmma_cu[] = {
#embed "kernels/conv_wgmma.cu"
  , 0};
static const char conv_direct_cu[] = {
#embed "kernels/conv_direct.cu"
  , 0};
static const char attention_cu[] = {
#embed "kernels/attention.cu"
  , 0};
static const char norm_cu[] = {
#embed "kernels/norm.cu"
  , 0};
static const char elementwise_cu[] = {
#embed "kernels/elementwise.cu"
  , 0};

static const char sampler_cu[] = {
#embed "kernels/sampler.cu"
  , 0};

static const struct {
  const char *name, *text;
} sources[] = {
  {"cu_kernels.h", cu_kernels_h}, {"machine.cuh", machine_cuh},
  {"prelude.cuh", prelude_cuh},   {"multiply.cuh", multiply_cuh},
  {"wgmma.cuh", wgmma_cuh},       {"epilogue.cuh", epilogue_cuh},
  {"conv.cu", conv_cu},           {"conv_wgmma.cu", conv_wgmma_cu},
  {"conv_direct.cu", conv_direct_cu}, {"attention.cu", attention_cu},
  {"norm.cu", norm_cu},           {"elementwise.cu", elementwise_cu},
  {"sampler.cu", sampler_cu},
};

const char *sd_cuda_source(const char *name) {
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    if (strcmp(sources[i].name, name) == 0) return sources[i].text;
  return nullptr;
}
