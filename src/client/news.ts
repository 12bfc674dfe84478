/**
 * What user code is still to hear.
 *
 * It is told one after the other, for everybody: what a subscriber does now is told when all have heard this.
 */
export class News {
  readonly #waiting: (() => void)[] = [];
  #isTelling = false;

  add(news: () => void): void {
    this.#waiting.push(news);
  }

  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let news = this.#waiting.shift(); news !== undefined; news = this.#waiting.shift()) news();
    this.#isTelling = false;
  }
}
