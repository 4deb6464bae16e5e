// A network that the page cannot run: the maps of some pictures, computed beforehand by cnncli.
// A map's numbers are stored as whole parts of its layer's largest, from -127 to 127.

function storedStages({ stages }) {
  return stages.map(({ values, limit, ...stage }) => ({
    ...stage, values: Float32Array.from(new Int8Array(bytesOf(values).buffer), (part) => part / 127 * limit),
  }));
}

function showStored(sample) {
  const picture = find("stored");
  picture.src = sample.picture;
  picture.alt = sample.name;
  const warnings = sample.ood !== null && sample.ood >= data.flagged ? [data.warning] : [];
  display(storedStages(sample), sample.probabilities, warnings, false);
}

function explainStored(value) {
  return {
    lines: [line(`Computed beforehand, and stored to within ${number(value)}: this network is too large to run in a page.`, "faint")],
    windows: [],
  };
}

function startStored() {
  find("input-head").textContent = "Pictures";
  for (const id of ["sheet", "tools", "pad-help"]) find(id).remove();
  find("stored").hidden = false;
  for (const sample of data.samples) {
    const made = button("", () => showStored(sample), { ariaLabel: sample.name, title: sample.name });
    made.append(element("img", { src: sample.picture, alt: "" }));
    find("samples").append(made);
  }
  showStored(data.samples[0]);
}
