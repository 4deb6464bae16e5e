// The arithmetic behind one number of one map, as `cnncli convolve --explain` prints it.
// Each explanation is {lines: elements, windows: outlines on the layer before}.

const MOST_TERMS = 30; // of a sum that is written out
const MOST_INPUTS = 12; // of a fully connected layer that are shown one by one

const EXPLAINED = {
  convolve: explainConvolution,
  rectify: explainRectifier,
  pool: explainPool,
  connect: explainConnection,
  average: explainMean,
  softmax: explainSoftmax,
};

function valueAt({ shape: [, height, width], values }, map, y, x) {
  return y < 0 || x < 0 || y >= height || x >= width ? 0 : values[(map * height + y) * width + x];
}

function line(text, className = "") {
  return element("p", { textContent: text, className });
}

function sumText(terms) {
  const some = terms.filter((term) => term !== 0);
  const shown = some.slice(0, MOST_TERMS).map(signed).join(" + ");
  return some.length > MOST_TERMS ? `${shown} + … (${some.length} terms)` : shown || "0";
}

// A matrix with its title; `outside` marks what the border filled in, `most` the one that counts.
function matrix(title, rows, { outside, most } = {}) {
  const table = element("table", { className: "matrix" }, element("caption", { textContent: title }));
  rows.forEach((row, y) => {
    const cells = row.map((value, x) => {
      const marked = outside?.(y, x), text = marked ? `[${number(value)}]` : number(value);
      const className = marked ? "outside" : value === most ? "most" : "";
      return element("td", { textContent: text, className });
    });
    table.append(element("tr", {}, ...cells));
  });
  return table;
}

function sign(text) {
  return element("span", { className: "sign", textContent: text });
}

// window x kernel = products, and their sum.
function productLines(windowRows, kernelRows, outside) {
  const products = windowRows.map((row, y) => row.map((value, x) => value * kernelRows[y][x]));
  const terms = products.flat();
  const sum = terms.reduce((total, term) => total + term, 0);
  const blocks = element("div", { className: "blocks" },
    matrix("window", windowRows, { outside }), sign("×"),
    matrix("kernel", kernelRows), sign("="), matrix("products", products));
  return { sum, lines: [blocks, line(`sum = ${sumText(terms)} = ${number(sum)}`, "sum")] };
}

function rowsOf(size, value) {
  return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => value(y, x)));
}

function explainConvolution({ before, layer, at: { map, y, x }, part, onPart }) {
  const { size, weight, bias } = layer, reach = size >> 1;
  const [count, height, width] = before.shape;
  const outside = (dy, dx) => {
    const row = y + dy - reach, column = x + dx - reach;
    return row < 0 || column < 0 || row >= height || column >= width;
  };
  const windowOf = (c) => rowsOf(size, (dy, dx) => valueAt(before, c, y + dy - reach, x + dx - reach));
  const kernelOf = (c) => rowsOf(size, (dy, dx) => weight[((map * count + c) * size + dy) * size + dx]);
  const sums = Array.from({ length: count }, (_, c) => productLines(windowOf(c), kernelOf(c)).sum);
  const strongest = sums.reduce((best, sum, c) => (Math.abs(sum) > Math.abs(sums[best]) ? c : best), 0);
  const chosen = part ?? strongest;
  const { lines } = productLines(windowOf(chosen), kernelOf(chosen), outside);
  if (outside(0, 0) || outside(size - 1, size - 1)) lines.push(line("[brackets]: outside the map, where zeros stand", "faint"));
  const total = sums.reduce((sum, each) => sum + each, bias[map]);
  lines.push(line(`value = ${sumText(sums)} + bias ${signed(bias[map])} = ${number(total)}`, "sum"));
  if (count > 1) lines.unshift(...partChoice(sums, chosen, onPart));
  const windows = sums.map((_, c) => ({ map: c, y: y - reach, x: x - reach, height: size, width: size }));
  return { lines, windows };
}

// Whose window is shown: one of the maps of the layer before.
function partChoice(sums, chosen, onPart) {
  const select = element("select", { ariaLabel: "map of the layer before" }, ...sums.map((sum, c) => {
    return element("option", { textContent: `map ${c}: ${number(sum)}`, value: c, selected: c === chosen });
  }));
  select.addEventListener("change", () => onPart(Number(select.value)));
  return [element("p", {}, `${sums.length} windows, one in each map of the layer before, each with a kernel of its own. Shown: `, select)];
}

function explainRectifier({ before, index, at: { map, y, x } }) {
  const value = before.values[index];
  const lines = [line(`max(0, ${number(value)}) = ${number(Math.max(0, value))}`, "sum")];
  return { lines, windows: [{ map, y, x, height: 1, width: 1 }] };
}

function explainMean({ stage: { values, views }, index, at: { map, y, x } }) {
  const terms = views.map((each) => each[index]);
  const lines = [line(`(${terms.map(number).join(" + ")}) / ${terms.length} = ${number(values[index])}`, "sum")];
  return { lines, windows: [{ map, y, x, height: 1, width: 1 }] };
}

function explainPool({ before, at: { map, y, x } }) {
  const rows = rowsOf(2, (dy, dx) => valueAt(before, map, 2 * y + dy, 2 * x + dx));
  const most = Math.max(...rows.flat());
  const lines = [
    element("div", { className: "blocks" }, matrix("window", rows, { most })),
    line(`largest of ${rows.flat().map(number).join(", ")} = ${number(most)}`, "sum"),
  ];
  return { lines, windows: [{ map, y: 2 * y, x: 2 * x, height: 2, width: 2 }] };
}

function explainConnection({ before, layer: { weight, bias }, index, classes }) {
  const { shape: [, height, width], values } = before, count = values.length;
  const products = Array.from(values, (value, i) => value * weight[index * count + i]);
  const order = products.map((_, i) => i).sort((i, j) => Math.abs(products[j]) - Math.abs(products[i]));
  const shown = order.slice(0, MOST_INPUTS).filter((i) => products[i] !== 0);
  const others = order.slice(shown.length).reduce((sum, i) => sum + products[i], 0);
  const place = (i) => (height > 1
    ? `map ${Math.floor(i / height / width)}, column ${i % width}, row ${Math.floor(i / width) % height}`
    : `unit ${i}`);
  const head = element("tr", {}, ...["from", "number", "weight", "product"].map((textContent) => element("th", { textContent, scope: "col" })));
  const rows = shown.map((i) => element("tr", {}, ...[
    place(i), number(values[i]), number(weight[index * count + i]), number(products[i]),
  ].map((textContent) => element("td", { textContent }))));
  const sum = products.reduce((total, each) => total + each, bias[index]);
  const written = `${sumText(shown.map((i) => products[i]))} + ${signed(others)} (the other ${count - shown.length})`;
  return {
    lines: [
      line(`${count.toLocaleString("en")} numbers times ${count.toLocaleString("en")} weights${classes ? ` of the class ${classes[index]}` : ""}; the ${shown.length} that weigh most:`),
      element("div", { className: "scroll" }, element("table", { className: "inputs" }, head, ...rows)),
      line(`value = ${written} + bias ${signed(bias[index])} = ${number(sum)}`, "sum"),
    ],
    windows: [],
  };
}

function explainSoftmax({ before: { values }, layer: { temperature }, index, classes }) {
  const most = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp((value - most) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return {
    lines: [
      line(`${classes[index]}: exp((score − largest score) / temperature), as a part of all classes' sum. The temperature makes a confidence as often right as it says.`),
      line(`exp((${number(values[index])} − ${signed(most)}) / ${number(temperature)}) / ${number(sum)} = ${number(powers[index])} / ${number(sum)} = ${number(powers[index] / sum)}`, "sum"),
    ],
    windows: [],
  };
}
