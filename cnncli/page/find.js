// A digit in a picture: several readings of ink and background propose objects, the best explained
// are normalised, and the network says which of them it knows. cnncli's preprocess/ink.py,
// lines.py, locate.py and normalise.py, step by step.

const LOGS = Float32Array.from({ length: 256 }, (_, level) => Math.log(level / 255 + DARKEST));

function quantile(values, part = 0.5) {
  return Float32Array.from(values).sort()[Math.floor(part * (values.length - 1))];
}

function mapPlane({ height, width, values }, action) {
  return plane(height, width, values.map(action));
}

function transposed({ height, width, values }) {
  return plane(width, height, values.map((_, i) => values[(i % height) * width + Math.floor(i / height)]));
}

const maxOf = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity);
const minOf = (values) => values.reduce((least, value) => Math.min(least, value), Infinity);
const sumOf = (values, of = (value) => value) => values.reduce((sum, value, i) => sum + of(value, i), 0);

// --- ink -------------------------------------------------------------------------------------

// The planes of a picture, as one plane of logarithms along an axis of colour space.
function along(planes, axis) {
  const { height, width } = planes[0];
  return plane(height, width, planes[0].values.map((_, i) => {
    return planes.reduce((sum, { values }, c) => sum + axis[c] * LOGS[values[i]], 0);
  }));
}

// The unit vector along which the details of a picture vary most.
function inkAxis(planes) {
  const count = planes.length;
  if (count === 1) return [1];
  const { height, width } = planes[0];
  const detail = planes.map((each) => {
    const logs = mapPlane(each, (level) => LOGS[level]);
    const smooth = resize(resize(logs, 4, 4), height, width);
    return logs.values.map((value, i) => value - smooth.values[i]);
  });
  const weight = detail[0].map((_, i) => detail.reduce((sum, values) => sum + values[i] ** 2, 0));
  const most = maxOf(weight);
  if (most <= 0) return planes.map(() => count ** -0.5);
  const moments = detail.map((one) => detail.map((other) => sumOf(one, (value, i) => value * other[i] * weight[i] / most)));
  return principal(moments);
}

// The main eigenvector of a symmetric matrix: squared often enough, nothing else is left of it.
function principal(matrix) {
  for (let step = 0; step < 30; step++) {
    const trace = matrix.reduce((sum, row, i) => sum + row[i], 0);
    const scaled = matrix.map((row) => row.map((value) => value / trace));
    matrix = scaled.map((row) => row.map((_, j) => row.reduce((sum, value, k) => sum + value * scaled[k][j], 0)));
  }
  const column = matrix.reduce((best, row) => (Math.hypot(...row) > Math.hypot(...best) ? row : best));
  return column.map((value) => value / Math.hypot(...column));
}

// Standard deviation of the grain: differences of pixels two apart see no shapes.
function noiseOf({ height, width, values }) {
  const down = [], across = [];
  for (let y = 0; y + 2 < height; y += 2) {
    for (let x = 0; x < width; x++) down.push(Math.abs(values[(y + 2) * width + x] - values[y * width + x]));
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x + 2 < width; x += 2) across.push(Math.abs(values[y * width + x + 2] - values[y * width + x]));
  }
  return [down, across].reduce((sum, steps) => sum + (steps.length ? 1.05 * quantile(steps) : 0), 0) / 2;
}

// The medians of a picture's two kinds of pixels, parted as Otsu (1979) parts them.
function twoLevels(values) {
  const every = Math.max(Math.floor(values.length / 1024), 1);
  const ordered = Float32Array.from(values).sort().filter((_, i) => i % every === 0);
  const total = sumOf(ordered);
  let below = 0, best = -1, parted = 1;
  for (let count = 1; count < ordered.length; count++) {
    below += ordered[count - 1];
    const rest = ordered.length - count;
    const between = count * rest * ((total - below) / rest - below / count) ** 2;
    if (between > best) [best, parted] = [between, count];
  }
  return [ordered[parted >> 1], ordered[(parted + ordered.length) >> 1]];
}

// The background of ink that is higher than it: a minimum over windows that no stroke fills, then
// a maximum over the same windows.
function pageOf(values) {
  const { height, width } = values, scale = Math.min(COARSE / Math.max(height, width), 1);
  const rows = Math.max(round(height * scale), 1), columns = Math.max(round(width * scale), 1);
  const reach = Math.max(Math.floor(WINDOW * Math.min(rows, columns) / 2), 1);
  const opened = extreme(extreme(resize(values, rows, columns), reach, Math.min), reach, Math.max);
  return resize(opened, height, width);
}

function extreme(image, reach, best) {
  for (let pass = 0; pass < 2; pass++) {
    const { height, width, values } = image;
    image = transposed(plane(height, width, values.map((value, i) => {
      const y = Math.floor(i / width), x = i % width;
      for (let row = Math.max(y - reach, 0); row <= Math.min(y + reach, height - 1); row++) value = best(value, values[row * width + x]);
      return value;
    })));
  }
  return image;
}

// Whether ink would be the paper: nearly all of the frame and most of the picture.
function surrounds({ values, height, width }) {
  let area = 0, frame = 0;
  values.forEach((value, i) => {
    const x = i % width, y = (i - x) / width;
    area += value;
    frame += value * ((x === 0) + (x === width - 1) + (y === 0) + (y === height - 1));
  });
  return frame / (2 * (height + width)) > PAPER_FRAME && area / (height * width) > PAPER_AREA;
}

// Dark or light ink, on a page or cut out tightly: {ink, background, axis, noise, even}.
function readings(planes) {
  const axis = inkAxis(planes), values = along(planes, axis), noise = noiseOf(values);
  if (maxOf(values.values) - minOf(values.values) < Math.max(FAINTEST, 5 * noise)) return [];
  const [low, high] = twoLevels(values.values);
  const middle = (low + high) / 2;
  return [1, -1].flatMap((sign) => {
    if (surrounds(mapPlane(values, (value) => (value > middle) === (sign > 0)))) return [];
    const signed = mapPlane(values, (value) => sign * value), flat = sign > 0 ? low : -high;
    const opened = pageOf(signed);
    const over = quantile(signed.values.map((value, i) => value - opened.values[i]).filter((_, i) => i % 4 === 0));
    const page = mapPlane(opened, (value) => value + over);
    const even = plane(1, 1, Float32Array.of(flat));
    const turned = axis.map((part) => sign * part);
    return [
      { ink: mapPlane(signed, (value, i) => value - page.values[i]), background: page, axis: turned, noise, even: false },
      { ink: mapPlane(signed, (value) => value - flat), background: even, axis: turned, noise, even: true },
    ];
  });
}

// --- lines -----------------------------------------------------------------------------------

// Which pixels belong to nearly level or nearly upright lines that run from edge to edge.
function findLines(ink, threshold) {
  const level = linesAcross(ink, threshold), upright = transposed(linesAcross(transposed(ink), threshold));
  return mapPlane(level, (value, i) => value || upright.values[i]);
}

function linesAcross(ink, threshold) {
  const { height, width } = ink, strips = resize(ink, height, STRIPS);
  const steepest = Math.floor(STEEPEST * width / 2), mask = plane(height, width);
  const places = Array.from({ length: STRIPS }, (_, k) => (k + 0.5) / STRIPS * 2 - 1);
  for (let row = 0; row < height; row++) {
    let strength = -Infinity, best = 0;
    for (let slope = -steepest; slope <= steepest; slope++) {
      const inside = places.map((at, k) => strips.values[clip(row + round(slope * at), 0, height - 1) * STRIPS + k]);
      const found = quantile(inside, MISSING);
      if (found > strength) [strength, best] = [found, slope];
    }
    if (strength > threshold) drawLine(mask, row, best);
  }
  return mask;
}

function drawLine({ height, width, values }, row, slope) {
  for (let x = 0; x < width; x++) {
    const track = row + round(slope * ((x + 0.5) / width * 2 - 1));
    if (track < 0 || track >= height) continue;
    for (let y = Math.max(track - SOFT, 0); y <= Math.min(track + SOFT, height - 1); y++) values[y * width + x] = 1;
  }
}

// Ink without the lines; what crosses them goes on above and below, or left and right.
function withoutLines(ink, lines) {
  const clear = mapPlane(ink, (value, i) => (lines.values[i] ? 0 : value));
  const down = bridged(clear, lines), across = transposed(bridged(transposed(clear), transposed(lines)));
  return mapPlane(ink, (value, i) => {
    return lines.values[i] ? Math.min(Math.max(down.values[i], across.values[i]), value) : value;
  });
}

function bridged({ height, width, values }, lines) {
  const out = plane(height, width);
  for (let x = 0; x < width; x++) {
    const above = [], below = [];
    for (let y = 0, last = 0; y < height; y++) above.push(last = lines.values[y * width + x] ? last : y);
    for (let y = height - 1, last = height - 1; y >= 0; y--) below[y] = last = lines.values[y * width + x] ? last : y;
    for (let y = 0; y < height; y++) out.values[y * width + x] = Math.min(values[above[y] * width + x], values[below[y] * width + x]);
  }
  return out;
}

// --- candidates ------------------------------------------------------------------------------

// What the objects of a reading hold of ink, outline and edge.
function measureObjects({ labels, objects }, { height, width, values }) {
  for (const object of objects) Object.assign(object, { mass: 0, energy: 0, edge: 0, outline: 0 });
  const labelAt = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? -1 : labels[y * width + x]);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const object = objects[labels[i]];
      if (!object) continue;
      object.mass += values[i];
      object.energy += values[i] ** 2;
      if (!y || !x || y === height - 1 || x === width - 1) object.edge++;
      for (const [down, across] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        if (labelAt(y + down, x + across) !== labels[i]) object.outline += Math.PI / 4;
      }
    }
  }
  for (const object of objects) object.level = object.mass / object.area;
}

function candidates(planes) {
  const found = [];
  let lines = plane(planes[0].height, planes[0].width);
  for (const reading of readings(planes)) {
    const { ink, even, noise } = reading, faintest = Math.max(FAINTEST, 2 * FAR_FROM_NOISE * noise);
    if (!even) lines = findLines(ink, Math.max(faintest, 0.15 * maxOf(ink.values)));
    const any = lines.values.includes(1);
    if (any) found.push(...proposed(reading, withoutLines(ink, lines), lines, faintest));
    if (even || !any) found.push(...proposed(reading, ink, null, faintest));
  }
  return found;
}

function proposed(reading, ink, lines, faintest) {
  const strongest = maxOf(ink.values);
  if (strongest < faintest) return [];
  return (reading.even ? LEVELS.slice(-1) : LEVELS)
    .filter((part) => part * strongest > FAR_FROM_NOISE * reading.noise)
    .flatMap((part) => grouped(reading, ink, lines, findObjects(ink, part * strongest)));
}

// The best two objects of one threshold with their parts, and all of them as one.
function grouped(reading, ink, lines, { labels, objects }) {
  measureObjects({ labels, objects }, ink);
  const goodness = objects.map((object) => (sideOf(object) < 4 ? 0 : (
    object.level ** 2 * sideOf(object) * (1 - Math.min(object.edge / object.outline, 1)) ** 2)));
  const seeds = objects.map((_, i) => i).filter((i) => goodness[i] > 0).sort((i, j) => goodness[j] - goodness[i]).slice(0, 2);
  const clear = objects.map((object) => object.edge <= HUGGING * object.outline);
  const groups = [
    ...seeds.map((seed) => objects.map((object, i) => i === seed || (clear[i] && clear[seed]
      && isPart(object, objects[seed]) && object.level > ALIKE * objects[seed].level))),
    objects.map((object, i) => clear[i] && sideOf(object) >= SPECK * Math.max(ink.height, ink.width)),
  ];
  const different = new Map(groups.filter((own) => own.includes(true)).map((own) => [own.join(), own]));
  const all = wholeOf(reading, ink, lines, objects);
  return [...different.values()].map((own) => candidate(reading, labels, objects, own, all));
}

function wholeOf(reading, ink, lines, objects) {
  let energy = 0, away = 0, lineMass = 0;
  for (let i = 0; i < ink.values.length; i++) {
    if (ink.values[i] < 0) away += ink.values[i] ** 2;
    else energy += ink.values[i] ** 2;
    if (lines?.values[i]) lineMass += reading.ink.values[i];
  }
  const others = sumOf(objects, (object) => (sideOf(object) >= 4 ? object.mass : 0));
  return { energy, away, lineMass, others, lines: lines ? 1 : 0, strongest: maxOf(ink.values), side: Math.max(ink.height, ink.width) };
}

function candidate(reading, labels, objects, own, all) {
  const chosen = objects.filter((_, i) => own[i]), box = hull(chosen);
  const of = (name) => chosen.reduce((sum, object) => sum + object[name], 0);
  const level = of("mass") / of("area");
  const edgiest = Math.max(...chosen.map((object) => object.edge / object.outline));
  const features = featuresOf(reading, box, chosen.length, level, of, { ...all, edgiest });
  const evidence = Object.entries(FEATURES).reduce((sum, [name, weight]) => sum + weight * features[name], 0);
  if (Number.isNaN(evidence)) throw new Error("cnncli weighs a feature that this page does not know");
  return { reading, labels, objects, own, box, level, evidence };
}

// What speaks for and against an object being the digit, by cnncli's names.
function featuresOf(reading, box, count, level, of, all) {
  const sides = [box.bottom - box.top, box.right - box.left].sort((a, b) => a - b);
  const even = reading.even ? 1 : 0, outline = of("outline"), edge = of("edge") / outline;
  const left = Math.max(1 - of("mass") / all.others, 0), parts = Math.log(count);
  const size = Math.log(sides[1] / all.side), width = Math.log(2 * of("area") / outline / sides[1]);
  const fill = of("area") / (sides[0] * sides[1]);
  return {
    level: Math.log(level / all.strongest),
    size, size2: size ** 2, width, width2: width ** 2, edge, left,
    line: all.lineMass / (of("mass") + all.lineMass), lines: all.lines, even,
    negative: all.away / (all.energy + all.away),
    aspect: Math.log(sides[0] / sides[1]), energy: of("energy") / all.energy, fill, fill2: fill ** 2, parts,
    "even left": even * left, "even edge": even * edge, "even parts": even * parts,
    edgiest: all.edgiest,
    snr: Math.log(Math.min(level / Math.max(reading.noise, 0.01), 100)),
  };
}

function locate(planes) {
  const best = [];
  for (const found of candidates(planes).sort((a, b) => b.evidence - a.evidence)) {
    if (best.length === MOST || (best.length && found.evidence < best[0].evidence - MARGIN)) break;
    if (!best.some((other) => isSame(found, other))) best.push(found);
  }
  return best;
}

function isSame(one, other) {
  const count = [0, 0, 0];
  one.labels.forEach((label, i) => {
    const first = one.own[label] ? 1 : 0, second = other.own[other.labels[i]] ? 1 : 0;
    count[0] += first;
    count[1] += second;
    count[2] += first & second;
  });
  return count[2] > SAME * Math.max(count[0], count[1]);
}

// --- from a candidate to the network's picture ------------------------------------------------

function inkCoverage(image, { reading, labels, own, box }, grid) {
  const mask = maskOf(labels, own, grid);
  const { within, height, width } = cutOf(box, grid);
  const fine = image.planes.map((each) => resize(each, height, width, scaledBox(within, grid, image), true));
  const background = reading.even ? null : resize(reading.background, height, width, within);
  const flat = reading.background.values[0];
  const ink = mapPlane(along(fine, reading.axis), (value, i) => value - (background ? background.values[i] : flat));
  const written = resize(mask, height, width, within);
  const inside = ink.values.filter((_, i) => written.values[i] > 0.5);
  const level = (inside.length ? quantile(inside, 0.75) : 0) || 1;
  const near = resize(changeWidth(mask, 2), height, width, within);
  return kept(mapPlane(ink, linear(level, reading.axis)), near);
}

// Coverage from 0 to 1 of ink in logarithms of colour: light adds, logarithms do not.
function linear(level, axis) {
  const slope = sumOf(axis) / sumOf(axis, Math.abs) ** 2;
  const bent = Math.abs(slope * level) > 0.01;
  return (ink) => {
    const part = bent ? Math.expm1(slope * Math.min(ink, level)) / Math.expm1(slope * level) : ink / level;
    return clip((part - INK_FROM) / (INK_FULL - INK_FROM), 0, 1);
  };
}

function* doubtsOf({ box, objects, own, level, reading }, grid) {
  const rooms = [box.top / grid.height, box.left / grid.width, 1 - box.bottom / grid.height, 1 - box.right / grid.width];
  if (Math.min(...rooms) === 0 && Math.max(...rooms) > ROOM) yield "cut off: the object reaches the edge of the picture";
  const others = objects.filter((object, i) => !own[i] && !object.edge
    && sideOf(object) > 0.5 * sideOf(box) && object.level > ALIKE * level).length;
  const beside = besideEachOther(objects.filter((_, i) => own[i]), box);
  if (others) yield severalText(others);
  else if (beside > 1) yield `several objects: ${beside} beside each other; they were read as one`;
  if (level < Math.max(PALEST, CLEAR_OF_NOISE * reading.noise)) yield "low contrast: the ink is hardly stronger than the background's noise";
  const sides = [box.bottom - box.top, box.right - box.left];
  if (Math.max(...sides) > 12 * Math.min(...sides)) yield "elongated: the object is more of a line than of a digit";
}

// How many parts of a digit are about as high as all of it and clear of each other.
function besideEachOther(parts, box) {
  const high = parts.filter(({ top, bottom }) => bottom - top > HIGH * (box.bottom - box.top)).sort((a, b) => a.left - b.left);
  return 1 + high.slice(1).filter((part, i) => part.left >= high[i].right).length;
}

// Blocks averaged down to a handy size; one plane if all is grey.
function workingImage({ height, width, planes }) {
  const factor = Math.floor(Math.max(height, width) / WORKING_SIDE);
  const small = factor > 1 ? planes.map((each) => reduce(each, factor)) : planes;
  const grey = small.every(({ values }) => values.every((value, i) => value === small[0].values[i]));
  return { height: small[0].height, width: small[0].width, planes: grey ? [small[0]] : small };
}

function reduce({ height, width, values }, factor) {
  const rows = Math.ceil(height / factor), columns = Math.ceil(width / factor);
  return plane(rows, columns, new Float32Array(rows * columns).map((_, i) => {
    const top = Math.floor(i / columns) * factor, left = (i % columns) * factor;
    const bottom = Math.min(top + factor, height), right = Math.min(left + factor, width);
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values[y * width + x];
    const count = (bottom - top) * (right - left);
    return Math.floor((sum + (count >> 1)) / count);
  }));
}

// A picture that is like MNIST's own already, white on black or the other way round; or null.
function alreadyNormal({ height, width, planes }, size) {
  if (height !== size || width !== size || planes.length > 1) return null;
  const grey = Uint8Array.from(planes[0].values);
  return [grey, grey.map((value) => 255 - value)].find((pixels) => isPlaced(pixels, size)) ?? null;
}

function isPlaced(pixels, size) {
  const box = { top: size, left: size, bottom: 0, right: 0 };
  let total = 0, down = 0, across = 0, border = 0;
  pixels.forEach((value, i) => {
    const y = Math.floor(i / size), x = i % size;
    for (const edge of [y === 0, y === size - 1, x === 0, x === size - 1]) if (edge) border += value;
    if (!value) return;
    Object.assign(box, { top: Math.min(box.top, y), left: Math.min(box.left, x), bottom: Math.max(box.bottom, y + 1), right: Math.max(box.right, x + 1) });
    total += value;
    down += value * y;
    across += value * x;
  });
  if (border / (4 * size) >= 32 || maxOf(pixels) < 128) return false;
  const off = [down, across].map((mass) => Math.abs(mass / total - size / 2));
  return Math.abs(sideOf(box) - BOX_PART * size) <= 1.5 && Math.max(...off) <= 1;
}

// What the network is shown of a picture: the likeliest candidate, by the picture's evidence, the
// network's confidence and how unlike its training it finds it.
function readPicture(picture, size) {
  const normal = alreadyNormal(picture, size);
  if (normal) return { pixels: normal, warnings: [] };
  const image = workingImage(picture), scale = LONGEST / Math.max(image.height, image.width);
  const grid = { height: Math.max(round(image.height * scale), 1), width: Math.max(round(image.width * scale), 1) };
  const found = locate(image.planes.map((each) => resize(each, grid.height, grid.width, undefined, true)));
  if (!found.length) return { pixels: new Uint8Array(size * size), warnings: [BLANK] };
  const ways = found.map((one) => {
    const pixels = place(inkCoverage(image, one, grid), size), { probabilities, ood } = network.run(pixels);
    const likelihood = one.evidence + CONFIDENT * Math.log(Math.max(...probabilities)) - STRANGE * (ood ?? 0);
    return { pixels, warnings: [...doubtsOf(one, grid)], likelihood };
  });
  return ways.reduce((best, way) => (way.likelihood > best.likelihood ? way : best));
}
