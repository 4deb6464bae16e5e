// The lesson's first half: a 3x3 kernel changed by hand, and the picture under it.
// The same as `cnncli convolve`: correlation, border reflect, range auto, one rounding half up.

const reflect = (at, size) => {
  if (size === 1) return 0;
  const period = 2 * (size - 1), place = ((at % period) + period) % period;
  return place < size ? place : period - place;
};

function windowAt({ height, width, values }, y, x) {
  return rowsOf(3, (dy, dx) => values[reflect(y + dy - 1, height) * width + reflect(x + dx - 1, width)]);
}

function filterPicture(picture, kernel, scale) {
  const { height, width, values } = picture;
  const abs = kernel.flat().reduce((sum, weight) => sum + weight, 0) === 0;
  const out = new Uint8ClampedArray(values.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      let sum = 0;
      for (let dy = 0; dy < 3; dy++) {
        const row = reflect(y + dy - 1, height) * width;
        for (let dx = 0; dx < 3; dx++) sum += kernel[dy][dx] * values[row + reflect(x + dx - 1, width)];
      }
      out[i] = toPixel(sum / scale, abs);
    }
  }
  return { height, width, values: out };
}

function toPixel(value, abs) {
  return Math.max(0, Math.min(255, Math.floor((abs ? Math.abs(value) : value) + 0.5)));
}

function paintGrey(canvas, { height, width, values }) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) pixels[i] = (255 << 24 | values[i] * 0x010101) >>> 0;
  context.putImageData(image, 0, 0);
}

function createKernelLesson(kernels, pictures) {
  const cells = rowsOf(3, (y, x) => element("input", {
    type: "number", step: "any", value: "0", ariaLabel: `kernel, row ${y + 1}, column ${x + 1}`,
  }));
  const scale = find("kernel-scale"), preset = find("kernel-preset"), source = find("kernel-source");
  const before = find("kernel-before"), after = find("kernel-after");
  let at = { x: 0, y: 0 };
  find("kernel-cells").append(...cells.flat());
  preset.append(...kernels.map(({ name }, i) => element("option", { textContent: name, value: i })));
  source.append(...pictures.map(({ name }, i) => element("option", { textContent: name, value: i })));

  const kernel = () => cells.map((row) => row.map(({ value }) => Number(value) || 0));
  const divisor = () => Number(scale.value) || 1;
  const picture = () => pictures[source.value].picture();

  function choose() {
    const { rows, scale: own } = kernels[preset.value];
    cells.forEach((row, y) => row.forEach((cell, x) => { cell.value = number(rows[y][x]); }));
    scale.value = own;
    refresh();
  }

  function refresh() {
    const shown = picture();
    paintGrey(before, shown);
    paintGrey(after, filterPicture(shown, kernel(), divisor()));
    at = { x: Math.min(at.x, shown.width - 1), y: Math.min(at.y, shown.height - 1) };
    explain(shown);
    const text = kernel().map((row) => row.map(number).join(" ")).join("; ");
    find("kernel-command").textContent = `cnncli convolve PICTURE -k "${text}" --scale ${number(divisor())}`;
  }

  function explain(shown) {
    const rows = kernel(), window = windowAt(shown, at.y, at.x), { height, width } = shown;
    const outside = (dy, dx) => {
      const y = at.y + dy - 1, x = at.x + dx - 1;
      return y < 0 || x < 0 || y >= height || x >= width;
    };
    const { sum, lines } = productLines(window, rows, outside);
    const abs = rows.flat().reduce((total, weight) => total + weight, 0) === 0;
    const value = sum / divisor();
    find("kernel-sum").replaceChildren(
      line(`column ${at.x}, row ${at.y} of the result`, "headline"), ...lines,
      line(`${divisor() === 1 ? "" : `/ ${number(divisor())} = ${number(value)}; `}${abs ? `the kernel sums to 0: |${number(value)}|` : "kept from 0 to 255"}, rounded: pixel ${toPixel(value, abs)}`, "sum"),
    );
  }

  function move(x, y) {
    const shown = picture();
    at = { x: Math.max(0, Math.min(shown.width - 1, x)), y: Math.max(0, Math.min(shown.height - 1, y)) };
    explain(shown);
  }

  for (const canvas of [before, after]) {
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      move(Math.floor((event.clientX - box.left) / box.width * canvas.width),
        Math.floor((event.clientY - box.top) / box.height * canvas.height));
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      move(at.x + step[0], at.y + step[1]);
    });
  }
  for (const input of [...cells.flat(), scale]) input.addEventListener("input", refresh);
  preset.addEventListener("change", choose);
  source.addEventListener("change", refresh);
  choose();
  return { refresh };
}
