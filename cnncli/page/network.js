// The network: the same steps as cnncli's own engine, on typed arrays.
// A stage is {name, step, shape: [maps, height, width], values: Float32Array}; a vector has
// height and width 1.

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// A weight is a float16 and one more byte: what rounding to float16 left over, in 254ths of the
// distance to the next float16. Together that is as good as 19 bits, at three bytes a weight.
function decodeTensor({ half, rest }) {
  const halves = new Uint16Array(bytesOf(half).buffer);
  const rests = new Int8Array(bytesOf(rest).buffer);
  return Float32Array.from(halves, (bits, i) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const spacing = 2 ** (Math.max(exponent, 1) - 25);
    const size = (exponent ? fraction + 1024 : fraction) * spacing;
    return (bits >> 15 ? -size : size) + rests[i] / 254 * spacing;
  });
}

function loadLayers(layers) {
  return layers.map((layer) => layer.weight
    ? { ...layer, weight: decodeTensor(layer.weight), bias: decodeTensor(layer.bias) }
    : layer);
}

// out[k] = bias[k] + the sum over all maps c of the correlation of maps[c] with kernel[k, c];
// zeros outside. With a frame of zeros around each map all windows of a map are one run of
// numbers, so that the inner loop is nine products and nothing else.
function convolve({ shape: [count, height, width], values }, { weight, bias }) {
  const stride = width + 2, size = (height + 2) * stride;
  const framed = framedMaps(count, height, width, values), sums = new Float64Array(height * stride);
  const filled = Array.from({ length: count }, (_, c) => framed.subarray(c * size, (c + 1) * size));
  const empty = filled.map((map) => map.every((value) => value === 0)); // ReLU leaves many so
  const out = new Float32Array(bias.length * height * width);
  for (let k = 0, i = 0; k < bias.length; k++) {
    sums.fill(bias[k]);
    for (let c = 0; c < count; c++) {
      if (!empty[c]) addWindows(sums, filled[c], stride, weight.subarray((k * count + c) * 9));
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[i++] = sums[y * stride + x];
    }
  }
  return { shape: [bias.length, height, width], values: out };
}

function framedMaps(count, height, width, values) {
  const stride = width + 2, size = (height + 2) * stride;
  const framed = new Float32Array(count * size);
  for (let c = 0; c < count; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * height + y) * width;
      framed.set(values.subarray(from, from + width), c * size + (y + 1) * stride + 1);
    }
  }
  return framed;
}

function addWindows(sums, map, stride, [a, b, c, d, e, f, g, h, i]) {
  const end = sums.length - 2;
  for (let at = 0, down = stride, under = 2 * stride; at < end; at++, down++, under++) {
    sums[at] += a * map[at] + b * map[at + 1] + c * map[at + 2]
      + d * map[down] + e * map[down + 1] + f * map[down + 2]
      + g * map[under] + h * map[under + 1] + i * map[under + 2];
  }
}

function rectify({ shape, values }) {
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = values[i] > 0 ? values[i] : 0;
  return { shape, values: out };
}

// The largest of each 2x2 window; a last odd row or column is left out.
function pool({ shape: [count, height, width], values }) {
  const rows = height >> 1, columns = width >> 1;
  const out = new Float32Array(count * rows * columns);
  for (let c = 0, i = 0; c < count; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i++) {
        const at = (c * height + 2 * y) * width + 2 * x;
        out[i] = Math.max(values[at], values[at + 1], values[at + width], values[at + width + 1]);
      }
    }
  }
  return { shape: [count, rows, columns], values: out };
}

function connect({ values }, { weight, bias }) {
  const out = Float32Array.from(bias, (start, k) => {
    let sum = start;
    for (let i = 0, w = k * values.length; i < values.length; i++, w++) sum += weight[w] * values[i];
    return sum;
  });
  return { shape: [out.length, 1, 1], values: out };
}

function softmax({ shape, values }, { temperature }) {
  const most = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp((value - most) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return { shape, values: Float32Array.from(powers, (power) => power / sum) };
}

// The mean of what the layers before give for the picture, moved and mirrored.
function average(before, { moves, mirrored }, input, layersBefore) {
  const seen = [input, ...moves.map(([y, x]) => movedBy(y, x, input))];
  if (mirrored) seen.push(...seen.map(mirror));
  const views = seen.map((view, i) => (i ? runNetwork(layersBefore, view).at(-1).values : before.values));
  const mean = (i) => views.reduce((sum, values) => sum + values[i], 0) / views.length;
  return { shape: before.shape, values: before.values.map((_, i) => mean(i)), views };
}

// A picture without its first rows and columns (or its last ones, below 0); the edge is repeated.
function movedBy(down, right, { shape, values }) {
  const [, height, width] = shape, clamp = (at, size) => Math.min(Math.max(at, 0), size - 1);
  return { shape, values: values.map((_, i) => {
    const y = Math.floor(i / width) % height, x = i % width;
    return values[i + (clamp(y + down, height) - y) * width + clamp(x + right, width) - x];
  }) };
}

function mirror({ shape, values }) {
  const width = shape[2];
  return { shape, values: values.map((_, i) => values[i + width - 1 - 2 * (i % width)]) };
}

const STEPS = { convolve, rectify, pool, connect, average, softmax };

// (pixels / 255 - mean) / std, channels first.
function normalise(pixels, [channels, height, width], mean, std) {
  const values = new Float32Array(channels * height * width);
  for (let c = 0, i = 0; c < channels; c++) {
    for (let at = c; at < pixels.length; at += channels, i++) {
      values[i] = (pixels[at] / 255 - mean[c]) / std[c];
    }
  }
  return { name: "input", step: "the picture, normalised", shape: [channels, height, width], values };
}

function runNetwork(layers, input) {
  const stages = [input];
  layers.forEach((layer, i) => {
    const made = STEPS[layer.kind](stages.at(-1), layer, input, layers.slice(0, i));
    stages.push({ name: layer.name, step: layer.step, ...made });
  });
  return stages;
}

// How unlike the training pictures this one is, from 0 to 1; null where the weights cannot tell.
// How little the best class stands out, and how far the hidden layer is from where that class's
// pictures put it; cnncli's inference/doubt.py.
function oodScore(ood, stages) {
  if (!ood) return null;
  const [hidden, logits] = stages.slice(-3, -1).map(({ values }) => Array.from(values));
  const best = Math.max(...logits);
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  const means = ood.means[logits.indexOf(best)];
  const distance = hidden.reduce((sum, value, i) => sum + (value - means[i]) ** 2 / ood.variance[i], 0);
  const signs = [mean - best, Math.log(distance + 1e-9)];
  const score = signs.reduce((sum, sign, i) => sum + (sign - ood.signs_mean[i]) / ood.signs_std[i], 0) / 2;
  return 1 / (1 + Math.exp(Math.max(-50, Math.min(50, ood.limit - score))));
}
