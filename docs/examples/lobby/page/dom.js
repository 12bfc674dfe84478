/** Finds an element that the page is known to have. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Makes an element. Strings among the children become text, never markup: names, reasons and messages are
 * foreign.
 */
export function element(tag, { dataset = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** Writes only what differs, so that a table that is redrawn often keeps selections and stays cheap. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets one data attribute, or takes it away. */
export function setData(node, name, value) {
  if (value === undefined) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
