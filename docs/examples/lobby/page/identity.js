import { byId, setText } from './dom.js';
import { inventedName } from './words.js';

const form = byId('identity');
const field = byId('name');
const rename = byId('rename');
const ownId = byId('own-id');

/** The name of this tab. */
export class Identity {
  #client;
  #name;

  constructor(client) {
    this.#client = client;
    this.#name = firstName();
    field.value = this.#name;
    field.addEventListener('input', () => this.#fieldOnInput());
    form.addEventListener('submit', (event) => this.#formOnSubmit(event));
  }

  get name() {
    return this.#name;
  }

  welcome({ id, name }) {
    this.#name = name;
    setText(ownId, id);
    document.title = `${name} · Mooring lobby`;
  }

  changed({ state, refusal }) {
    field.ariaInvalid = String(refusal !== undefined);
    if (state !== 'up') setText(ownId, '–');
  }

  #fieldOnInput() {
    rename.hidden = field.value.trim() === this.#name;
  }

  #formOnSubmit(event) {
    event.preventDefault();
    this.#name = field.value.trim();
    sessionStorage.setItem('name', this.#name);
    history.replaceState(null, '', location.pathname);
    rename.hidden = true;
    this.#client.dial(this.#name);
  }
}

/** The name in the URL, or the one from before a reload, or a random one. */
function firstName() {
  const asked = new URLSearchParams(location.search).get('name');
  const name = asked ?? sessionStorage.getItem('name') ?? inventedName();
  sessionStorage.setItem('name', name);
  return name;
}
