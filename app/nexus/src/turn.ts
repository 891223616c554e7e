/** One at a time, in the order of asking. One that fails keeps nobody from his turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async run<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return await mine;
  }

  /** Resolves when everybody who has asked until now had his turn. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
