// From a drawing, or what was found in a picture, to what the network was trained on: white on black, the longer side 20 of 28
// pixels, strokes 2 to 4 pixels wide, the centre of mass in the middle. cnncli's preprocess/.

// The constants of cnncli's own search: what is tuned there is tuned here.
const {
  DARKEST, COARSE, WINDOW, FAINTEST, PAPER_FRAME, PAPER_AREA, STRIPS, MISSING, STEEPEST, SOFT, LONGEST, LEVELS, NEAR,
  SMALLEST_PART, LONGEST_WHOLE, FEATURES, SAME, MOST, MARGIN, ALIKE, HIGH, SPECK, HUGGING,
  FAR_FROM_NOISE, FINE, BOX_PART, INK_FROM, INK_FULL, THINNEST, THICKEST, WORKING_SIDE, PALEST, CLEAR_OF_NOISE, ROOM, CONFIDENT, STRANGE,
} = data.reading;

const clip = (value, low, high) => Math.max(low, Math.min(high, value));

// To the nearest whole number, and from the middle to the even one, as Python's round.
function round(value) {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

const sideOf = ({ top, left, bottom, right }) => Math.max(bottom - top, right - left);

function hull(objects) {
  return {
    top: Math.min(...objects.map(({ top }) => top)), left: Math.min(...objects.map(({ left }) => left)),
    bottom: Math.max(...objects.map(({ bottom }) => bottom)), right: Math.max(...objects.map(({ right }) => right)),
  };
}

// Whether an object may be a detached part of the digit: close to it, and not small.
function isPart(object, digit) {
  const longest = sideOf(digit), [down, across] = NEAR.map((part) => part * longest);
  return object.top < digit.bottom + down && object.bottom > digit.top - down
    && object.left < digit.right + across && object.right > digit.left - across
    && sideOf(hull([object, digit])) <= LONGEST_WHOLE * longest
    && sideOf(object) >= SMALLEST_PART * longest;
}

// The one digit of a drawing, and what is doubtful about it.
function readDrawing(sheet, size) {
  const grid = resize(sheet, Math.ceil(sheet.height / 2), Math.ceil(sheet.width / 2));
  const { labels, objects } = findObjects(grid, 0.5);
  if (!objects.length) return { pixels: new Uint8Array(size * size), warnings: [BLANK] };
  const digit = objects.reduce((best, object) => (sideOf(object) > sideOf(best) ? object : best));
  const own = objects.map((object) => object === digit || isPart(object, digit));
  const others = objects.filter((object, i) => !own[i] && sideOf(object) > 0.5 * sideOf(digit)).length;
  const box = hull(objects.filter((_, i) => own[i]));
  const near = changeWidth(maskOf(labels, own, grid), 2);
  const { within, height, width } = cutOf(box, near);
  const fine = resize(sheet, height, width, scaledBox(within, near, sheet));
  const coverage = kept(fine, resize(near, height, width, within));
  return { pixels: place(coverage, size), warnings: others ? [severalText(others)] : [] };
}

// 1 where the digit's own objects are.
function maskOf(labels, own, { height, width }) {
  const mask = plane(height, width);
  for (let i = 0; i < labels.length; i++) mask.values[i] = own[labels[i]] ? 1 : 0;
  return mask;
}

const severalText = (others) => `several objects: ${others + 1} of about one size; one of them was read`;
const BLANK = "blank: no stroke stands out from the background";

// The part of the search grid that a digit is cut out of, and the size to which it is brought.
function cutOf(box, grid) {
  const longest = sideOf(box), margin = 0.08 * longest + 1.5, scale = FINE / longest;
  const within = [
    Math.max(box.top - margin, 0), Math.max(box.left - margin, 0),
    Math.min(box.bottom + margin, grid.height), Math.min(box.right + margin, grid.width),
  ];
  const [height, width] = [within[2] - within[0], within[3] - within[1]].map((side) => Math.max(round(side * scale), 1));
  return { within, height, width };
}

// The same part of a picture of another size.
function scaledBox([top, left, bottom, right], from, to) {
  const rows = to.height / from.height, columns = to.width / from.width;
  return [top * rows, left * columns, bottom * rows, right * columns];
}

// Coverage where the digit is, with room around it.
function kept({ height, width, values }, near) {
  const padded = plane(height + 4, width + 4);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      padded.values[(y + 2) * padded.width + x + 2] = values[i] * Math.min(near.values[i], 1);
    }
  }
  return padded;
}

// Fit a digit into the network's picture as MNIST was made.
function place(coverage, size) {
  const longest = BOX_PART * size;
  let fitted = fit(coverage, longest);
  const found = strokeWidth(fitted) / longest * 20;
  const change = clip(found, THINNEST, THICKEST) - found;
  if (Math.abs(change) > 0.05) {
    fitted = fit(changeWidth(coverage, change * sideOf(inkBox(coverage)) / 20), longest);
  }
  return centred(fitted, size);
}

function inkBox({ height, width, values }) {
  const box = { top: height, left: width, bottom: 0, right: 0 };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (values[i] <= 0.3) continue;
      box.top = Math.min(box.top, y);
      box.left = Math.min(box.left, x);
      box.bottom = Math.max(box.bottom, y + 1);
      box.right = Math.max(box.right, x + 1);
    }
  }
  return box.bottom ? box : { top: 0, left: 0, bottom: height, right: width };
}

function fit(coverage, longest) {
  const box = inkBox(coverage), scale = longest / sideOf(box);
  const [height, width] = [box.bottom - box.top, box.right - box.left].map((side) => Math.max(round(side * scale), 1));
  const fitted = resize(coverage, height, width, [box.top, box.left, box.bottom, box.right]);
  return plane(height, width, fitted.values.map((value) => clip(value, 0, 1)));
}

function centred({ height, width, values }, size) {
  const pixels = new Uint8Array(size * size);
  let total = 0, down = 0, across = 0, most = 1e-6;
  for (let i = 0; i < values.length; i++) {
    total += values[i];
    down += values[i] * Math.floor(i / width);
    across += values[i] * (i % width);
    most = Math.max(most, values[i]);
  }
  if (!total) return pixels;
  const offset = (mass, length) => clip(Math.floor(size / 2 - mass / total + 0.5), 0, size - length);
  const top = offset(down, height), left = offset(across, width);
  for (let i = 0; i < values.length; i++) {
    pixels[(top + Math.floor(i / width)) * size + left + i % width] = Math.floor(values[i] / most * 255 + 0.5);
  }
  return pixels;
}
