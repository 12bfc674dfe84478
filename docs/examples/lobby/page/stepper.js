import { byId, element, setText } from './dom.js';

const EXAMPLES = '/examples.json';

const choice = byId('example');
const back = byId('step-back');
const on = byId('step-on');
const count = byId('step-count');
const fact = byId('step-fact');
const text = byId('step-text');

/** Leads the chart through an example step by step, or leaves it to what happens now. */
export class Stepper {
  #chart;
  #examples = [];
  /** The stages of the example that is shown; none when the chart is live. */
  #stages = [];
  #at = 0;

  constructor(chart) {
    this.#chart = chart;
    choice.addEventListener('change', () => this.#choose(choice.value));
    back.addEventListener('click', () => this.#step(-1));
    on.addEventListener('click', () => this.#step(1));
    void this.#load();
  }

  /** Without examples there is nothing to choose, and the chart is live. */
  async #load() {
    const answer = await fetch(EXAMPLES).catch(() => undefined);
    if (!answer?.ok) return;
    this.#examples = await answer.json();
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

  /** The buttons stay where they are at both ends, so that a finger that is too fast hits nothing else. */
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
