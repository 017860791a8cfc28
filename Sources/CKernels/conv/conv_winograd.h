// The sources of a convolution in layout "winograd": F(2 x 2, 3 x 3), 16 products for 36, or with the kernels of a phase
// F(2 x 2, 2 x 2), 9 for 16.
//
// y = A^T [U . (B^T d B)] A for every tile of 2 x 2 results: d is the tile's window of 4 x 4 (3 x 3) pixels, U the packed
// weights, and the products at each place, summed over channels and sources, are a matrix product of tiles by columns.
// A chunk of channels (16 KB of a panel's weights at one place) stays in L1 while the tiles of a strip pass.
// Included by conv_body.h.

/// Rows of the strip are tiles' results, four a tile: (0, 0), (0, 1), (1, 0), (1, 1).
struct tiles {
  long count, pitch;     // of the strip; with what a register tile may run over
  int side;              // of a window, and of the square of places: a kernel's and one more
  float *images;         // B^T d B: [places][pitch][channels of a chunk], and 16 more from a place to the next
  float *products;       // [panels][places][pitch][32]
  const float **table;   // the rows of images: [places][blocks][MR]
};

/// The numbers B^T x of x.
CK_INLINE void differences(const vf *x, vf *to, int side) {
  if (side == 3) to[0] = x[0] - x[1], to[1] = x[1], to[2] = x[1] - x[2];
  else to[0] = x[0] - x[2], to[1] = x[1] + x[2], to[2] = x[2] - x[1], to[3] = x[1] - x[3];
}

/// The two numbers A^T x of x.
CK_INLINE void results(const vf *x, vf to[2], int side) {
  if (side == 3) to[0] = x[0] + x[1], to[1] = x[1] - x[2];
  else to[0] = x[0] + x[1] + x[2], to[1] = x[1] - x[2] - x[3];
}

CK_INLINE long image_place(const struct tiles *tiles, long length) { return tiles->pitch * length + 16; }

/// Fills the images of all tiles for channels from ..< from + length of `s`.
CK_INLINE void transform_images(
  const struct work *w, const struct tiles *tiles, const struct ck_source *s, long from, long length, int side)
{
  const long place = image_place(tiles, length);
  for (long t = 0; t < tiles->count; t++) {
    const float *pixels[4][4];
    for (int i = 0; i < side; i++)
      for (int j = 0; j < side; j++) {
        const float *at = pixel(w, s, 4 * t, i, j);
        pixels[i][j] = at ? at + from : w->zeros;
      }
    for (long c = 0; c < length; c += VL) {
      vf lines[4][4];
      for (int j = 0; j < side; j++) {
        vf window[4], column[4];
        for (int i = 0; i < side; i++) window[i] = vload(pixels[i][j] + c);
        differences(window, column, side);
        for (int i = 0; i < side; i++) lines[i][j] = column[i];
      }
      float *to = tiles->images + t * length + c;
      for (int i = 0; i < side; i++) {
        vf image[4];
        differences(lines[i], image, side);
        for (int j = 0; j < side; j++) vstore(to + (side * i + j) * place, image[j]);
      }
    }
  }
}

/// Adds the products of a panel over channels from ..< from + length.
static void multiply_tiles(
  const struct work *w, const struct tiles *tiles, const struct ck_source *s, long p, long from, long length, bool first)
{
  const long blocks = ck_ceil_div(tiles->count, MR), panel = w->first_panel + p, places = tiles->side * tiles->side;
  const long kernels = ck_panel_lines(s) / s->kernel_h;  // of all phases
  const float *weights = (const float *)s->weights + (panel * kernels * places * s->channels + from) * 32;
  const long width = ck_min_long(32, w->conv->columns - panel * 32), step = ck_ceil_div(128, blocks);
  for (long place = 0; place < places; place++) {
    const float *b = weights + place * s->channels * 32;
    // Meanwhile the next place's weights come to L2, or those of the next panel's first.
    const long next = place + 1 < places ? place + 1 : kernels * places;
    const char *ahead = (const char *)(weights + next * s->channels * 32);
    for (long i = 0; i < blocks; i++) {
      const struct ck_left a = {.rows = tiles->table + (place * blocks + i) * MR, .segments = 1, .length = length};
      float *sums = tiles->products + ((p * places + place) * tiles->pitch + i * MR) * 32;
      micro(&a, b, sums, first, (struct ck_ahead){true, ahead + i * length * step, step}, width);
    }
  }
}

/// Adds the results that a panel's products are to its sums.
CK_INLINE void transform_products(const struct work *w, const struct tiles *tiles, long p, bool first, int side) {
  for (long t = 0; t < tiles->count; t++) {
    const float *from = tiles->products + (p * side * side * tiles->pitch + t) * 32;
    float *to = sums_of(w, p) + t * 4 * 32;
    for (long lane = 0; lane < 32; lane += VL) {
      vf lines[2][4];
      for (int j = 0; j < side; j++) {
        vf products[4], column[2];
        for (int i = 0; i < side; i++) products[i] = vload(from + (side * i + j) * tiles->pitch * 32 + lane);
        results(products, column, side);
        for (int i = 0; i < 2; i++) lines[i][j] = column[i];
      }
      for (int i = 0; i < 2; i++) {
        vf pixels[2];
        results(lines[i], pixels, side);
        for (int j = 0; j < 2; j++) {
          float *sum = to + (2 * i + j) * 32 + lane;
          vstore(sum, first ? pixels[j] : vload(sum) + pixels[j]);
        }
      }
    }
  }
}

/// Adds all sources in layout "winograd" to the sums and finishes the panels. `first`: there are no other sources.
static void add_tiles(const struct work *w, const struct tiles *tiles, bool first) {
  const struct ck_conv *c = w->conv;
  const long blocks = ck_ceil_div(tiles->count, MR), places = tiles->side * tiles->side;
  bool first_chunk = true;
  for (long i = 0, remaining = ck_winograd_sources(c); i < c->source_count; i++) {
    const struct ck_source *s = c->sources + i;
    if (!s->winograd) continue;
    remaining--;
    const long chunk = ck_winograd_chunk(s);
    for (long from = 0; from < s->channels; from += chunk) {
      const long length = ck_min_long(chunk, s->channels - from);
      for (long place = 0; place < places; place++)
        for (long t = 0; t < blocks * MR; t++)
          tiles->table[place * blocks * MR + t] = tiles->images + place * image_place(tiles, length) + t * length;
      if (tiles->side == 3) transform_images(w, tiles, s, from, length, 3);
      else transform_images(w, tiles, s, from, length, 4);
      const bool last = remaining == 0 && from + length >= s->channels;
      for (long p = 0; p < w->panels; p++) {
        multiply_tiles(w, tiles, s, p, from, length, first_chunk);
        if (!last) continue;
        if (tiles->side == 3) transform_products(w, tiles, p, first, 3);
        else transform_products(w, tiles, p, first, 4);
        finish(w, p);
      }
      first_chunk = false;
    }
  }
}
