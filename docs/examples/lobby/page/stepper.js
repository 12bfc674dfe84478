import { byId, element, setText } from './dom.js';

const EXAMPLES = '/examples.json';

const choice = byId('example');
const back = byId('step-back');
const on = byId('step-on');
const count = byId('step-count');
const fact = byId('step-fact');
const text = byId('step-text');

/** Steps through an example on the chart. Without an example, the chart is live. */
export class Stepper {
  #chart;
  #examples = [];
  /** The stages of the example; empty if the chart is live. */
  #stages = [];
  #at = 0;

  constructor(chart) {
    this.#chart = chart;
    choice.addEventListener('change', () => this.#choose(choice.value));
    back.addEventListener('click', () => this.#step(-1));
    on.addEventListener('click', () => this.#step(1));
    void this.#load();
  }

  /** If this fails, there is nothing to choose and the chart stays live. */
  async #load() {
    const response = await fetch(EXAMPLES).catch(() => undefined);
    if (!response?.ok) return;
    this.#examples = await response.json();
    const options = this.#examples.map(({ title }, index) =>
      element('option', { value: String(index) }, title),
    );
    choice.append(...options);
  }

  #choose(value) {
    this.#stages = this.#examples[value]?.stages ?? [];
    this.#at = 0;
    for (const button of [back, on]) button.hidden = this.#stages.length === 0;
    this.#draw();
  }

  #step(by) {
    this.#at = Math.min(Math.max(this.#at + by, 0), this.#stages.length - 1);
    this.#draw();
  }

  /** At both ends the buttons are disabled, not hidden: a fast tap must not hit something else. */
  #draw() {
    const stage = this.#stages[this.#at];
    back.disabled = this.#at === 0;
    on.disabled = this.#at === this.#stages.length - 1;
    setText(count, stage === undefined ? '' : `Step ${this.#at} of ${this.#stages.length - 1}:`);
    setText(fact, stage?.fact ?? '');
    setText(text, stage?.text.replaceAll('`', '') ?? '');
    this.#chart.showStage(stage);
  }
}
