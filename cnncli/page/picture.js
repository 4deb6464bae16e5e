// Pictures that are dropped, pasted or opened: decoded by the browser, upright, as colours.

// {height, width, planes}: one plane of levels from 0 to 255 if all is grey, else three.
async function decode(blob) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(blob, options);
  const { height, width } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return coloursOf(context.getImageData(0, 0, width, height));
}

// Transparent parts become white, or black where everything that is opaque is bright.
function coloursOf({ data, height, width }) {
  const count = height * width, planes = [0, 1, 2].map(() => plane(height, width));
  const ground = isBright(data) ? 0 : 255;
  let grey = true;
  for (let i = 0; i < count; i++) {
    const alpha = data[4 * i + 3] / 255;
    for (let c = 0; c < 3; c++) {
      planes[c].values[i] = Math.floor(data[4 * i + c] * alpha + ground * (1 - alpha) + 0.5);
    }
    grey &&= planes[0].values[i] === planes[1].values[i] && planes[1].values[i] === planes[2].values[i];
  }
  return { height, width, planes: grey ? [planes[0]] : planes };
}

const BRIGHT = 170; // an opaque part without anything darker needs a black ground to be seen

function isBright(data) {
  const opaque = [];
  let clear = false;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 127) opaque.push(luminance(data[i], data[i + 1], data[i + 2]));
    else clear = true;
  }
  if (!clear || !opaque.length) return false;
  return opaque.sort((a, b) => a - b)[Math.floor(0.05 * (opaque.length - 1))] > BRIGHT;
}

function luminance(red, green, blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16; // ITU-R 601-2, as Pillow's
}

// Scaled so that it just covers the network's picture, and cropped at the centre.
function coverSize({ height, width, planes }, rows, columns) {
  const channels = toChannels(planes, CHANNELS);
  const step = Math.min(height / rows, width / columns);
  const top = (height - step * rows) / 2, left = (width - step * columns) / 2;
  const box = [top, left, height - top, width - left];
  const scaled = channels.map((each) => resize(each, rows, columns, box, true).values);
  return Uint8Array.from({ length: rows * columns * CHANNELS }, (_, i) => {
    return scaled[i % CHANNELS][Math.floor(i / CHANNELS)];
  });
}

function toChannels(planes, count) {
  if (planes.length === count) return planes;
  if (count === 3) return [planes[0], planes[0], planes[0]];
  const [red, green, blue] = planes;
  return [plane(red.height, red.width, red.values.map((value, i) => luminance(value, green.values[i], blue.values[i])))];
}
