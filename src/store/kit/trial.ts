/** A trial connection to another endpoint, shared by several look-ups until it is adopted or retired. */
export class Trial<Connection> {
  /** The connection has replaced the previous one. */
  isAdopted = false;
  /** Connections that were lost during the trial. */
  readonly lost = new Set<unknown>();
  readonly #opening: Promise<Connection>;
  #users = 0;

  constructor(opening: Promise<Connection>) {
    this.#opening = opening;
  }

  /** The connection; rejects if no other endpoint can be reached. Every caller must call `leave` afterwards. */
  join(): Promise<Connection> {
    this.#users++;
    return this.#opening;
  }

  /** @returns whether that was the last user of a connection that was not adopted */
  leave(): boolean {
    this.#users--;
    return this.#users === 0 && !this.isAdopted;
  }

  /** Ends the connection, also one that is still being opened. */
  end(how: (connection: Connection) => void): void {
    this.#opening.then(how, () => {});
  }
}
