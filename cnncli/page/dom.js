// The document. Names and texts may come from a checkpoint that somebody else made, so every text
// goes in as text; nothing here, or anywhere on this page, reads a string as HTML.

function element(tag, properties = {}, ...children) {
  const { dataset = {}, aria = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, dataset);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children);
  return made;
}

function find(id) {
  return document.getElementById(id);
}

const data = JSON.parse(find("data").textContent);

function button(text, action, properties = {}) {
  const made = element("button", { type: "button", textContent: text, ...properties });
  made.addEventListener("click", action);
  return made;
}

// A number in at most six digits, written as Python's "%.6g" writes it.
function number(value) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(6)))));
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const [digits, power] = value.toExponential(5).split("e");
  return `${Number(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

// A negative number in brackets, for what stands before or after it.
function signed(value) {
  const text = number(value);
  return text.startsWith("-") ? `(${text})` : text;
}

function percent(share) {
  if (share < 1e-4) return "<0.01 %";
  return `${(100 * share).toFixed(share > 0.999 || share < 0.01 ? 2 : 1)} %`;
}

// One call for each frame of the screen, however many events ask for it.
function everyFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}
