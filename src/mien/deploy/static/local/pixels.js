/** Decode photos to upright RGB pixels, with the browser's own decoders. */

/** Largest file and photo that are read: the library's limits. */
const MAX_BYTES = 64 * 2 ** 20;
const MAX_PIXELS = 100_000_000;

/** A photo that cannot be read, with a message and a hint for the visitor. */
export class PhotoError extends Error {
  constructor(title, hint, kind) {
    super(title);
    this.name = "PhotoError";
    this.hint = hint;
    this.kind = kind;
  }
}

/**
 * Decode a photo, upright and in sRGB.
 *
 * Takes a Blob, an ImageBitmap or a VideoFrame. A photo whose long side is at least twice
 * `maxLongSide` pixels is reduced to a half, a quarter or an eighth, as the library does with large
 * JPEGs. Returns `{data, width, height, full, scale}`: data (H·W·3) uint8 RGB, transparent parts on
 * white; full is the photo's size; scale is the side of `data` over that of the full photo.
 */
export async function pixelsOf(source, maxLongSide) {
  const picture = source instanceof Blob ? await decode(source) : source;
  try {
    const full = [picture.width ?? picture.displayWidth, picture.height ?? picture.displayHeight];
    if (full[0] * full[1] > MAX_PIXELS) {
      throw new PhotoError(
        "The photo has more than 100 megapixels.",
        "Export it at a smaller size.",
        "PhotoTooLarge",
      );
    }
    let shrink = 1;
    while (shrink < 8 && Math.max(...full) / (2 * shrink) >= maxLongSide) shrink *= 2;
    const [width, height] = full.map((side) => Math.ceil(side / shrink));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
    if (!context)
      throw new PhotoError(
        "The photo needs more memory than the browser has.",
        "Export it at a smaller size.",
        "PhotoTooLarge",
      );
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, width, height);
    return {
      data: rgb(context.getImageData(0, 0, width, height).data),
      width,
      height,
      full,
      scale: 1 / shrink,
    };
  } finally {
    picture.close?.();
  }
}

async function decode(blob) {
  if (!blob.size)
    throw new PhotoError(
      "The file is empty.",
      "Copy the photo again from its source.",
      "BrokenPhoto",
    );
  if (blob.size > MAX_BYTES) {
    throw new PhotoError(
      "The file is larger than 64 MiB.",
      "Export it as a smaller JPEG.",
      "PhotoTooLarge",
    );
  }
  try {
    return await createImageBitmap(blob, {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
    });
  } catch {
    throw await decodingError(blob);
  }
}

/** The error for a file that the browser cannot decode; names HEIC and TIFF by their first bytes. */
async function decodingError(blob) {
  const head = String.fromCharCode(...new Uint8Array(await blob.slice(0, 16).arrayBuffer()));
  const heif = head.slice(4, 8) === "ftyp" && /hei|hev|mif|msf/.test(head.slice(8, 12));
  const tiff = head.startsWith("II*\0") || head.startsWith("MM\0*");
  if (heif || tiff) {
    const format = heif ? "HEIC" : "TIFF";
    return new PhotoError(
      `This browser cannot read ${format} photos.`,
      heif ? "Use Safari, or export the photo as a JPEG." : "Export the photo as a JPEG.",
      "UnsupportedPhoto",
    );
  }
  return new PhotoError(
    "The browser cannot read this file as a photo, or it is damaged.",
    "Export it as a JPEG, PNG or WebP.",
    "BrokenPhoto",
  );
}

function rgb(rgba) {
  const data = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return data;
}

/** The photo, mirrored. */
export function mirrored({ data, width, height, ...rest }) {
  const flipped = new Uint8Array(data.length);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const from = 3 * (row * width + column);
      const to = 3 * (row * width + (width - 1 - column));
      flipped[to] = data[from];
      flipped[to + 1] = data[from + 1];
      flipped[to + 2] = data[from + 2];
    }
  }
  return { data: flipped, width, height, ...rest };
}

/** A crop (side · side · 3 uint8 RGB) as a JPEG in a data URL. */
export async function cropPicture(crop, side) {
  const image = new ImageData(side, side);
  for (let from = 0, to = 0; from < crop.length; from += 3, to += 4) {
    image.data[to] = crop[from];
    image.data[to + 1] = crop[from + 1];
    image.data[to + 2] = crop[from + 2];
    image.data[to + 3] = 255;
  }
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return new FileReaderSync().readAsDataURL(
    await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }),
  );
}
