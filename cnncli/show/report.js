"use strict";
// A click on a column's head sorts its table: numbers by size, words by letters.
function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
}

function sortTable(head, column) {
  const body = head.closest("table").tBodies[0];
  const rising = head.getAttribute("aria-sort") === "descending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = [...body.rows].sort((one, two) => {
    const a = valueOf(one, column), b = valueOf(two, column);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return rising ? order : -order;
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortTable(head, column));
  });
}
