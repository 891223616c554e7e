/** Who is denied: a map and a comparison of texts. */
export class Denied {
  /** The end of each; undefined for none. */
  readonly #all = new Map<string, number | undefined>();

  put(subject: string, until: number | undefined): void {
    this.#all.set(subject, until);
  }

  /** Whether there was something to lift. */
  lift(subject: string, now: number): boolean {
    const isThere = this.list(now).includes(subject);
    this.#all.delete(subject);
    return isThere;
  }

  /** Those in force. */
  list(now: number): string[] {
    return [...this.#all].flatMap(([subject, end]) => (end === undefined || now < end ? [subject] : []));
  }

  covers(id: string, now: number): boolean {
    return this.list(now).some((subject) =>
      subject.endsWith('/*') ? id.startsWith(subject.slice(0, -1)) : subject === id,
    );
  }
}
