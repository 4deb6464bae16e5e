// Where the page's parts are wired to each other, and the first picture is shown.

const pad = createPad(find("pad"), everyFrame(readPad));

function readPad() {
  performance.mark("stroke");
  find("drop-hint").hidden = !pad.isEmpty();
  const { pixels, warnings } = readSheet();
  show(pixels, warnings);
  performance.measure("stroke", "stroke");
}

// A digit is found on the sheet and normalised; for other networks it is a picture, black on white.
function readSheet() {
  if (data.kind === "digit") return readDrawing(pad.coverage(), HEIGHT);
  const sheet = pad.coverage(true);
  const paper = plane(sheet.height, sheet.width, sheet.values.map((ink) => 255 * (1 - ink)));
  return { pixels: coverSize({ ...paper, planes: [paper] }, HEIGHT, WIDTH), warnings: [] };
}

function showPixels(pixels, warnings) {
  pad.wipe();
  show(pixels, warnings);
}

find("clear").addEventListener("click", () => pad.clear());
find("undo").addEventListener("click", () => pad.undo());
find("rubber").addEventListener("click", ({ currentTarget }) => {
  const on = currentTarget.ariaPressed !== "true";
  currentTarget.ariaPressed = String(on);
  pad.rub(on);
});
find("pad").addEventListener("cursor", ({ detail: { at: [x, y], down } }) => {
  const cursor = find("cursor");
  cursor.hidden = false;
  cursor.style.left = `${x / 2.8}%`;
  cursor.style.top = `${y / 2.8}%`;
  cursor.classList.toggle("down", down);
});

async function readFile(blob) {
  const warnings = [];
  performance.mark("picture");
  try {
    const picture = await decode(blob);
    const read = data.kind === "digit" ? readPicture(picture, HEIGHT) : { pixels: coverSize(picture, HEIGHT, WIDTH), warnings };
    showPixels(read.pixels, read.warnings);
    performance.measure("picture", "picture");
  } catch {
    find("warnings").replaceChildren(element("li", { textContent: "this is no picture that the browser can read" }));
  }
}

function imageIn({ items = [] }) {
  return [...items].find(({ kind, type }) => kind === "file" && type.startsWith("image/"))?.getAsFile();
}

find("open").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", ({ currentTarget: { files } }) => { if (files[0]) readFile(files[0]); });
document.addEventListener("paste", ({ clipboardData }) => {
  const file = imageIn(clipboardData);
  if (file && data.live) readFile(file);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("sheet").classList.add("over");
});
document.addEventListener("dragleave", () => find("sheet").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("sheet").classList.remove("over");
  const file = imageIn(event.dataTransfer);
  if (file && data.live) readFile(file);
});

function startLive() {
  data.samples.forEach(({ name, pixels: packed }) => {
    const pixels = bytesOf(packed), canvas = element("canvas");
    paintGrey(canvas, { height: HEIGHT, width: WIDTH, values: pixels.filter((_, i) => i % CHANNELS === 0) });
    const made = button("", () => showPixels(pixels, []), { ariaLabel: `sample ${name}`, title: name });
    made.append(canvas);
    find("samples").append(made);
  });
  readPad();
}

const scene = { height: data.scene.height, width: data.scene.width, values: bytesOf(data.scene.pixels) };
const seen = () => ({ height: HEIGHT, width: WIDTH, values: shown.pixels.filter((_, i) => i % CHANNELS === 0) });

find("about-line").textContent = data.about;
find("differences").append(...data.differences.map((textContent) => element("li", { textContent })));
find("card").append(...data.card.map(([name, value]) => element("tr", {},
  element("th", { textContent: name, scope: "row" }), element("td", { textContent: value }))));
const ramp = find("scale").getContext("2d"), strip = ramp.createImageData(201, 1);
new Uint32Array(strip.data.buffer).forEach((_, i, pixels) => { pixels[i] = RAMP[Math.round((i / 100 - 1) * SHADES) + SHADES]; });
ramp.putImageData(strip, 0, 0);
if (data.live) startLive();
else startStored();

const lesson = createKernelLesson(data.kernels, [
  { name: "a scene", picture: () => scene },
  ...(data.live ? [{ name: "what the network sees", picture: seen }] : []),
]);
find("kernel").addEventListener("pointerenter", lesson.refresh); // the drawing may have changed
find("kernel").addEventListener("focusin", lesson.refresh);
