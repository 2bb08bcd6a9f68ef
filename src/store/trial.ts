/** A connection to another endpoint that several look-ups share while it is not known whether it will be used. */
export class Trial<Connection> {
  /** It was taken in place of the connection before it. */
  isAdopted = false;
  /** Connections that were lost while the trial lasted. */
  readonly lost = new Set<unknown>();
  readonly #opening: Promise<Connection>;
  #users = 0;

  constructor(opening: Promise<Connection>) {
    this.#opening = opening;
  }

  /** Rejects where no other endpoint can be reached. Every caller calls `leave` afterwards. */
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
