// The sheet to draw on. Ink is the canvas's opacity: what is drawn is known exactly, so that no
// background has to be told from it; the colour of the ink is only for the eye.

const PEN = 22, RUBBER = 44; // pixels of a sheet of 280

function createPad(canvas, onChange) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = []; // each {rubs, points: [[x, y], ...]}
  let rubs = false, cursor = null;

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  function begin(point) {
    strokes.push({ rubs, points: [point] });
    paint(strokes.at(-1), 0);
    onChange();
  }

  function extend(points) {
    const stroke = strokes.at(-1), from = stroke.points.length - 1;
    stroke.points.push(...points);
    paint(stroke, from);
    onChange();
  }

  function paint({ rubs: rubbing, points }, from) {
    context.globalCompositeOperation = rubbing ? "destination-out" : "source-over";
    context.strokeStyle = "#000";
    context.lineWidth = rubbing ? RUBBER : PEN;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[from]);
    for (const point of points.slice(from)) context.lineTo(...point);
    context.stroke();
  }

  function repaint() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const stroke of strokes) paint(stroke, 0);
    onChange();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const between = event.getCoalescedEvents?.() ?? [];
    extend((between.length ? between : [event]).map(place));
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-7, 0], ArrowRight: [7, 0], ArrowUp: [0, -7], ArrowDown: [0, 7] }[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    cursor ??= { at: [canvas.width / 2, canvas.height / 2], down: false };
    if (step) {
      cursor.at = cursor.at.map((at, i) => Math.max(0, Math.min(canvas.width, at + step[i])));
      if (cursor.down) extend([cursor.at]);
    } else {
      cursor.down = !cursor.down;
      if (cursor.down) begin(cursor.at);
    }
    canvas.dispatchEvent(new CustomEvent("cursor", { detail: cursor }));
  });

  return {
    rub(on) { rubs = on; },
    undo() { strokes.pop(); repaint(); },
    clear() { strokes.length = 0; repaint(); },
    // Without telling: something else is shown instead.
    wipe() { strokes.length = 0; context.clearRect(0, 0, canvas.width, canvas.height); },
    isEmpty: () => strokes.length === 0,
    // Part of each pixel that ink covers, from 0 to 1: of the part that is drawn on, or of the
    // whole sheet.
    coverage(whole) {
      const [left, top, right, bottom] = whole ? [0, 0, canvas.width, canvas.height] : drawnPart();
      const { data: levels } = context.getImageData(left, top, right - left, bottom - top);
      const values = new Float32Array(levels.length / 4);
      for (let i = 0; i < values.length; i++) values[i] = levels[4 * i + 3] / 255;
      return { height: bottom - top, width: right - left, values };
    },
  };

  function drawnPart() {
    const points = strokes.filter((stroke) => !stroke.rubs).flatMap((stroke) => stroke.points);
    if (!points.length) return [0, 0, canvas.width, canvas.height];
    const [across, down] = [0, 1].map((axis) => points.map((point) => point[axis]));
    const room = PEN / 2 + 3, within = (at) => Math.max(0, Math.min(canvas.width, at));
    return [
      ...[across, down].map((places) => within(Math.floor(Math.min(...places) - room))),
      ...[across, down].map((places) => within(Math.ceil(Math.max(...places) + room))),
    ];
  }
}
