// From a drawing to what the network was trained on: white on black, the longer side 20 of 28
// pixels, strokes 2 to 4 pixels wide, the centre of mass in the middle. cnncli's preprocess/.

const BOX_PART = 20 / 28; // of the picture: what the digit's longer side fills
const THINNEST = 2, THICKEST = 4; // pixels of a stroke, of MNIST's own
const FINE = 64; // longer side of the digit, in pixels, while it is worked on
const LONGEST = 128; // pixels of the grid on which it is searched
const NEAR = [0.4, 0.15]; // down and across: how close a detached part is, of the longer side
const SMALLEST_PART = 0.12, LONGEST_WHOLE = 1.7; // of the digit's longer side

const round = (value) => Math.floor(value + 0.5);
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
  const mask = maskOf(labels, own, grid);
  const warnings = [];
  if (others) warnings.push(`several objects: ${others + 1} of about one size; one of them was read`);
  return { pixels: place(cutOut(sheet, changeWidth(mask, 2), box), size), warnings };
}

// 1 where the digit's own objects are.
function maskOf(labels, own, { height, width }) {
  const mask = plane(height, width);
  for (let i = 0; i < labels.length; i++) mask.values[i] = own[labels[i]] ? 1 : 0;
  return mask;
}

const BLANK = "blank: no stroke stands out from the background";

// The digit alone, its longer side FINE pixels; `near` is 1 where it is.
function cutOut(sheet, near, box) {
  const longest = sideOf(box), margin = 0.08 * longest + 1.5, scale = FINE / longest;
  const within = [
    Math.max(box.top - margin, 0), Math.max(box.left - margin, 0),
    Math.min(box.bottom + margin, near.height), Math.min(box.right + margin, near.width),
  ];
  const height = Math.max(round((within[2] - within[0]) * scale), 1);
  const width = Math.max(round((within[3] - within[1]) * scale), 1);
  const fine = resize(sheet, height, width, within.map((side) => side * sheet.width / near.width));
  const kept = resize(near, height, width, within);
  const padded = plane(height + 4, width + 4);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      padded.values[(y + 2) * padded.width + x + 2] = fine.values[i] * Math.min(kept.values[i], 1);
    }
  }
  return padded;
}

// Fit a digit into the network's picture as MNIST was made.
function place(coverage, size) {
  const longest = BOX_PART * size;
  let fitted = fit(coverage, longest);
  const found = strokeWidth(fitted) / longest * 20;
  const change = Math.max(THINNEST, Math.min(THICKEST, found)) - found;
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
  const [height, width] = [box.bottom - box.top, box.right - box.left].map((side) => Math.max(Math.round(side * scale), 1));
  const fitted = resize(coverage, height, width, [box.top, box.left, box.bottom, box.right]);
  return plane(height, width, fitted.values.map((value) => Math.max(0, Math.min(1, value))));
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
  const offset = (mass, length) => Math.max(0, Math.min(size - length, round(size / 2 - mass / total)));
  const top = offset(down, height), left = offset(across, width);
  for (let i = 0; i < values.length; i++) {
    pixels[(top + Math.floor(i / width)) * size + left + i % width] = round(values[i] / most * 255);
  }
  return pixels;
}

function readPicture(picture, size) {
  const [grey] = toChannels(picture.planes, 1);
  const at = resize(grey, 280, 280);
  return readDrawing(plane(280, 280, at.values.map((value) => 1 - value / 255)), size);
}
