// The page itself: what is drawn becomes a picture, the picture becomes maps, the maps an answer.

const [CHANNELS, HEIGHT, WIDTH] = data.size;
const layers = loadLayers(data.layers ?? []);
const shown = { stages: [], pixels: null, chosen: null, part: null, windows: [], spot: { map: 0, y: 0.5, x: 0.5 } };

// --- the answer ------------------------------------------------------------------------------

const bars = data.classes.map((name) => {
  const fill = element("div", { className: "fill" }), share = element("span", { className: "share" });
  const row = element("li", {}, element("span", { className: "name", textContent: name, title: name }),
    element("div", { className: "track" }, fill), share);
  find("bars").append(row);
  return { row, fill, share };
});

function showAnswer(probabilities, warnings, blank) {
  probabilities = Array.from(probabilities);
  const best = blank ? -1 : probabilities.indexOf(Math.max(...probabilities));
  bars.forEach(({ row, fill, share }, k) => {
    fill.style.transform = `scaleX(${blank ? 0 : probabilities[k]})`;
    share.textContent = blank ? "" : percent(probabilities[k]);
    row.classList.toggle("best", k === best);
  });
  find("answer").replaceChildren(...(blank
    ? [element("span", { className: "faint", textContent: "nothing yet" })]
    : [element("b", { textContent: data.classes[best] }), ` with ${percent(probabilities[best])}`]));
  const texts = warnings.map((text) => element("li", { textContent: text }));
  find("warnings").replaceChildren(...texts);
}

// --- the layers ------------------------------------------------------------------------------

const views = [];

function buildLayers(stages) {
  stages.forEach((stage, i) => {
    const size = stage.size ?? sizeText(stage);
    const view = createMaps(stage, (place) => choose(i, place));
    const section = element("section", { className: "layer" },
      element("h3", {}, stage.name, element("span", { className: "faint", textContent: `${stage.step}: ${size}` })), view.frame);
    view.frame.addEventListener("keydown", (event) => onLayerKey(event, i));
    view.frame.addEventListener("focus", () => { if (shown.chosen?.layer !== i) choose(i, startOf(i)); });
    views.push({ ...view, section, size });
    find("layers").append(section);
    label(i);
  });
  const arrange = everyFrame(() => {
    for (const view of views) view.arrange(view.section.clientWidth);
    outline();
  });
  new ResizeObserver(arrange).observe(find("layers"));
}

function sizeText({ shape: [count, height, width] }) {
  return height > 1 ? `${count} map${count > 1 ? "s" : ""} of ${height}×${width}` : `${count} numbers`;
}

// Where a layer is entered: at the spot that was looked at last; a layer without maps, at its
// largest number.
function startOf(i) {
  const { maps, clamp } = views[i], { shape, values } = shown.stages[i];
  if (shape[1] === 1) {
    const index = values.indexOf(Math.max(...values));
    return { map: 0, y: Math.floor(index / maps.width), x: index % maps.width };
  }
  const { map, y, x } = shown.spot;
  return clamp({ map, y: Math.floor(y * maps.height), x: Math.floor(x * maps.width) });
}

function onLayerKey(event, i) {
  const { map, y, x } = shown.chosen?.layer === i ? shown.chosen.place : startOf(i);
  const moved = {
    ArrowLeft: { map, y, x: x - 1 }, ArrowRight: { map, y, x: x + 1 },
    ArrowUp: { map, y: y - 1, x }, ArrowDown: { map, y: y + 1, x },
    PageUp: { map: map - 1, y, x }, PageDown: { map: map + 1, y, x },
  }[event.key];
  const next = { n: i + 1, p: i - 1 }[event.key.toLowerCase()];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moved) choose(i, views[i].clamp(moved));
  else if (views[next]) views[next].frame.focus();
  else return;
  event.preventDefault();
}

function choose(layer, place, part = null) {
  const again = panel.contains(document.activeElement) && document.activeElement.ariaLabel;
  shown.chosen = { layer, place };
  const { maps } = views[layer], { map, y, x } = place;
  if (shown.stages[layer].shape[1] > 1) shown.spot = { map, y: (y + 0.5) / maps.height, x: (x + 0.5) / maps.width };
  shown.part = part;
  explainChosen();
  if (again) panel.querySelector(`[aria-label="${again}"]`)?.focus(); // made anew, the focus kept
}

function indexOf(stage, { map, y, x }, maps) {
  const vector = stage.shape[1] === 1 && stage.shape[2] === 1;
  return vector ? Math.min(y * maps.width + x, stage.shape[0] - 1) : (map * maps.height + y) * maps.width + x;
}

function headlineOf(stage, place, maps) {
  const index = indexOf(stage, place, maps), value = number(stage.values[index]);
  if (stage.shape[1] > 1) return `${stage.name}, map ${place.map}, column ${place.x}, row ${place.y}: ${value}`;
  const name = stage.shape[0] === data.classes.length ? `class ${data.classes[index]}` : `unit ${index}`;
  return `${stage.name}, ${name}: ${value}`;
}

function label(i) {
  const { frame, size, maps } = views[i], stage = shown.stages[i], chosen = shown.chosen?.layer === i;
  frame.ariaLabel = `${stage.name}, ${size}. ${chosen ? headlineOf(stage, shown.chosen.place, maps) : ""}`;
}

const panel = element("div", { className: "explanation", ariaLive: "polite" });

function explainChosen() {
  if (!shown.chosen) return;
  const { layer: i, place } = shown.chosen, stage = shown.stages[i], { maps, section } = views[i];
  const before = shown.stages[i - 1], layer = layers[i - 1];
  const index = indexOf(stage, place, maps);
  const explained = explanationOf({
    i, stage, before, layer, index, at: place, part: shown.part,
    classes: stage.shape[0] === data.classes.length ? data.classes : null,
    onPart: (part) => choose(i, place, part),
  });
  panel.replaceChildren(line(headlineOf(stage, place, maps), "headline"), moves(i, place), ...explained.lines);
  section.append(panel);
  shown.windows = explained.windows;
  outline();
  label(i);
}

function explanationOf(asked) {
  if (!data.live) return explainStored(largest(asked.stage.values) / 254);
  return asked.i ? EXPLAINED[asked.layer.kind](asked) : { lines: [pixelLine(asked.at)], windows: [] };
}

function pixelLine({ map, y, x }) {
  const pixel = shown.pixels[(y * WIDTH + x) * CHANNELS + map];
  return line(`(pixel ${pixel} / 255 − mean ${number(data.mean[map])}) / standard deviation ${number(data.std[map])}`, "sum");
}

// Buttons for what the arrow keys do: a finger is wider than a point of a map.
function moves(i, { map, y, x }) {
  const steps = [["←", 0, 0, -1, "left"], ["→", 0, 0, 1, "right"], ["↑", 0, -1, 0, "up"], ["↓", 0, 1, 0, "down"],
    ["map −", -1, 0, 0, "previous map"], ["map +", 1, 0, 0, "next map"]];
  return element("div", { className: "moves" }, ...steps
    .filter(([, k]) => !k || views[i].maps.count > 1)
    .map(([text, k, down, across, name]) => button(text, () => choose(i, views[i].clamp({ map: map + k, y: y + down, x: x + across })), { ariaLabel: name, tabIndex: -1 })));
}

function outline() {
  views.forEach((view, i) => {
    const { layer, place } = shown.chosen ?? {};
    if (i === layer) view.mark([{ ...place, height: 1, width: 1 }]);
    else view.mark(i === layer - 1 ? shown.windows : []);
  });
}

// --- from pixels to everything ----------------------------------------------------------------

function show(pixels, warnings = []) {
  const blank = warnings.includes(BLANK);
  shown.pixels = pixels;
  const stages = runNetwork(layers, normalise(pixels, data.size, data.mean, data.std));
  const unlike = blank ? null : oodScore(data.ood, stages);
  if (unlike !== null && unlike >= data.flagged) warnings = [...warnings, data.warning];
  display(stages, stages.at(-1).values, warnings, blank);
}

function display(stages, probabilities, warnings, blank) {
  shown.stages = stages;
  if (!views.length) buildLayers(stages);
  stages.forEach((stage, i) => views[i].draw(stage.values));
  showAnswer(probabilities, warnings, blank);
  explainChosen();
}

// For the browser's console, and for tests: what the network makes of uint8 pixels, row by row.
globalThis.network = {
  run(pixels) {
    const stages = runNetwork(layers, normalise(pixels, data.size, data.mean, data.std));
    return { probabilities: [...stages.at(-1).values], ood: oodScore(data.ood, stages), stages };
  },
};
