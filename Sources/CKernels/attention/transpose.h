// 16 x 16 elements of 32 bits transposed in registers.
#ifndef CK_TRANSPOSE_H
#define CK_TRANSPOSE_H

CK_INLINE long clamp(long n, long most) { return n < 0 ? 0 : n > most ? most : n; }

CK_INLINE void transpose16(vi *rows) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32((__m512i)rows[i], (__m512i)rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32((__m512i)rows[i], (__m512i)rows[i + 1]);
  }
  // Within lanes of 128 bits: b[4g + j] holds columns j, j + 4, j + 8, j + 12 of rows 4g ..< 4g + 4.
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int j = 0; j < 4; j++) {
    const __m512i low = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88), high = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88);
    const __m512i high2 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
    rows[j] = (vi)_mm512_shuffle_i32x4(low, low2, 0x88);
    rows[4 + j] = (vi)_mm512_shuffle_i32x4(high, high2, 0x88);
    rows[8 + j] = (vi)_mm512_shuffle_i32x4(low, low2, 0xdd);
    rows[12 + j] = (vi)_mm512_shuffle_i32x4(high, high2, 0xdd);
  }
}

#endif
