#define SD_WGMMA
#include "conv.cpp"
