// Work on planes of numbers {height, width, values}: scaling, connected objects, stroke widths.
// Each function does what its namesake in cnncli's preprocess/ and images/scaling.py does.

function plane(height, width, values = new Float32Array(height * width)) {
  return { height, width, values };
}

// Weights of a triangle filter as wide as an output pixel, and at least one input pixel.
function taps(size, start, stop, out) {
  const step = (stop - start) / out, support = Math.max(step, 1);
  return Array.from({ length: out }, (_, i) => {
    const centre = start + (i + 0.5) * step;
    const first = Math.max(Math.floor(centre - support + 0.5), 0);
    const last = Math.min(Math.floor(centre + support + 0.5), size);
    const weights = [];
    for (let at = first; at < last; at++) weights.push(Math.max(1 - Math.abs(at + 0.5 - centre) / support, 0));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

// Scale a plane, or the box [top, left, bottom, right] of it; `round` keeps whole levels.
function resize(image, height, width, box = [0, 0, image.height, image.width], round = false) {
  const keep = round ? (value) => Math.floor(value + 0.5) : (value) => value;
  const across = taps(image.width, box[1], box[3], width), down = taps(image.height, box[0], box[2], height);
  const top = down[0].first, bottom = down.at(-1).first + down.at(-1).weights.length;
  const wide = plane(bottom - top, width);
  for (let y = top, i = 0; y < bottom; y++) {
    const row = y * image.width;
    for (const { first, weights } of across) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * image.values[row + first + k];
      wide.values[i++] = keep(sum);
    }
  }
  const out = plane(height, width);
  for (let y = 0, i = 0; y < height; y++) {
    const { first, weights } = down[y];
    for (let x = 0; x < width; x++, i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * wide.values[(first - top + k) * width + x];
      out.values[i] = keep(sum);
    }
  }
  return out;
}

// The 8-connected objects of what is above a threshold. `labels` is -1 where there is none.
function findObjects({ height, width, values }, threshold) {
  const labels = new Int32Array(height * width).fill(-1), objects = [], open = [];
  for (let seed = 0; seed < labels.length; seed++) {
    if (labels[seed] >= 0 || values[seed] <= threshold) continue;
    const object = { area: 0, top: height, left: width, bottom: 0, right: 0 };
    labels[seed] = objects.length;
    open.push(seed);
    while (open.length) {
      const at = open.pop(), y = Math.floor(at / width), x = at % width;
      object.area++;
      object.top = Math.min(object.top, y);
      object.left = Math.min(object.left, x);
      object.bottom = Math.max(object.bottom, y + 1);
      object.right = Math.max(object.right, x + 1);
      for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
        for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
          const next = row * width + column;
          if (labels[next] >= 0 || values[next] <= threshold) continue;
          labels[next] = objects.length;
          open.push(next);
        }
      }
    }
    objects.push(object);
  }
  return { labels, objects };
}

// Mean width of the strokes: twice the area over the outline, which is the gradient's length.
function strokeWidth({ height, width, values }) {
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : values[y * width + x]);
  let outline = 0, area = 0;
  for (let y = -1; y <= height; y++) {
    for (let x = -1; x <= width; x++) {
      outline += Math.hypot(at(y + 1, x) - at(y - 1, x), at(y, x + 1) - at(y, x - 1)) / 2;
      area += at(y, x);
    }
  }
  return outline ? 2 * area / outline : 0;
}

// Thicken all strokes by so many pixels, or thin them: maxima (minima) over a cross and a square
// in turn, about a disc; the last step in part.
function changeWidth(image, pixels) {
  const best = pixels > 0 ? Math.max : Math.min, steps = Math.abs(pixels) / 2;
  let { values } = image;
  const { height, width } = image;
  for (let step = 0; step < steps; step++) {
    const old = values, square = step % 3 === 1, part = Math.min(steps - step, 1);
    values = new Float32Array(old.length);
    for (let y = 0, i = 0; y < height; y++) {
      const up = y ? -width : 0, down = y < height - 1 ? width : 0;
      for (let x = 0; x < width; x++, i++) {
        const left = x ? -1 : 0, right = x < width - 1 ? 1 : 0;
        let changed = best(old[i], old[i + left], old[i + right], old[i + up], old[i + down]);
        if (square) {
          changed = best(changed, old[i + up + left], old[i + up + right], old[i + down + left], old[i + down + right]);
        }
        values[i] = old[i] + part * (changed - old[i]);
      }
    }
  }
  return plane(height, width, values);
}
