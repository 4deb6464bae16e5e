// From numbers to colours, as `cnncli features` paints them: black is zero, orange more, blue
// less. Blue and orange stay apart for colour-blind eyes, and light grows with size.
const STOPS = [[158, 220, 255], [36, 122, 222], [0, 0, 0], [226, 98, 16], [255, 232, 150]];
const SHADES = 1023; // on each side of zero

const RAMP = Uint32Array.from({ length: 2 * SHADES + 1 }, (_, i) => {
  const place = i / (2 * SHADES) * 4, first = Math.min(Math.floor(place), 3);
  const mix = STOPS[first].map((from, c) => {
    return Math.floor(from + (STOPS[first + 1][c] - from) * (place - first) + 0.5);
  });
  return (255 << 24 | mix[2] << 16 | mix[1] << 8 | mix[0]) >>> 0; // as ImageData lies in memory
});

function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most || 1;
}
