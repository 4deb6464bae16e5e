// The feature maps of one layer, side by side on one canvas, and the place chosen on them.

const ZOOM = [2, 24]; // pixels of the screen for one of a map, at least and at most
const VECTOR_WIDTH = 32; // numbers in a row, of a layer without maps
const ROOM_DOWN = { wide: 250, narrow: 400 }; // pixels of the screen for a layer

// Maps as they are drawn: a vector is one map of many columns.
function mapsOf({ shape: [count, height, width] }) {
  if (height > 1 || width > 1) return { count, height, width };
  const columns = Math.min(count, VECTOR_WIDTH);
  return { count: 1, height: Math.ceil(count / columns), width: columns };
}

// The largest size at which all maps of a layer fit, as few rows of them as that takes.
function arrangement({ count, height, width }, room) {
  const down = room < 600 ? ROOM_DOWN.narrow : ROOM_DOWN.wide;
  for (let zoom = ZOOM[1]; ; zoom--) {
    const fit = Math.min(Math.floor((room / zoom + 1) / (width + 1)), count);
    const rows = Math.ceil(count / Math.max(fit, 1));
    if (zoom === ZOOM[0] || (fit && rows * (height + 1) * zoom <= down)) {
      return { zoom, rows, columns: Math.ceil(count / rows) };
    }
  }
}

function createMaps(stage, onChoose) {
  const maps = mapsOf(stage);
  const canvas = element("canvas", { className: "maps" });
  const marks = element("canvas", { className: "marks" });
  const frame = element("div", { className: "frame", tabIndex: 0, role: "application" }, canvas, marks);
  frame.setAttribute("aria-roledescription", "feature maps");
  const context = canvas.getContext("2d");
  let zoom = 1, columns = 1, shown = null;

  function arrange(room) {
    const found = arrangement(maps, room), { rows } = found;
    ({ zoom, columns } = found);
    canvas.width = columns * (maps.width + 1) - 1;
    canvas.height = rows * (maps.height + 1) - 1;
    marks.width = canvas.width * zoom;
    marks.height = canvas.height * zoom;
    frame.style.width = `min(100%, ${marks.width}px)`;
    if (shown) draw(shown);
  }

  function draw(values) {
    shown = values;
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer), scale = SHADES / largest(values);
    const { count, height, width } = maps;
    for (let k = 0, i = 0; k < count; k++) {
      const top = Math.floor(k / columns) * (height + 1), left = (k % columns) * (width + 1);
      for (let y = 0; y < height; y++) {
        const row = (top + y) * canvas.width + left;
        for (let x = 0; x < width && i < values.length; x++, i++) {
          pixels[row + x] = RAMP[Math.round(values[i] * scale) + SHADES];
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  function locate(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * canvas.width);
    const y = Math.floor((event.clientY - box.top) / box.height * canvas.height);
    const column = Math.min(Math.floor(x / (maps.width + 1)), columns - 1);
    const row = Math.floor(y / (maps.height + 1));
    return clamp({
      map: row * columns + column,
      y: y - row * (maps.height + 1),
      x: x - column * (maps.width + 1),
    });
  }

  function clamp({ map, y, x }) {
    const within = (value, size) => Math.max(0, Math.min(size - 1, value));
    return { map: within(map, maps.count), y: within(y, maps.height), x: within(x, maps.width) };
  }

  // Outlines of windows, each {map, y, x, height, width}; what lies outside its map is cut off.
  function mark(windows) {
    const pen = marks.getContext("2d");
    pen.clearRect(0, 0, marks.width, marks.height);
    for (const { map, y, x, height, width } of windows) {
      const top = Math.max(y, 0), left = Math.max(x, 0);
      const bottom = Math.min(y + height, maps.height), right = Math.min(x + width, maps.width);
      const across = ((map % columns) * (maps.width + 1) + left) * zoom;
      const down = (Math.floor(map / columns) * (maps.height + 1) + top) * zoom;
      for (const [colour, thick, out] of [["#000", 3, 1], ["#fff", 1.5, 1]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = thick;
        pen.strokeRect(across - out, down - out, (right - left) * zoom + 2 * out, (bottom - top) * zoom + 2 * out);
      }
    }
  }

  canvas.addEventListener("click", (event) => onChoose(locate(event)));
  return { frame, maps, arrange, draw, mark, clamp };
}
