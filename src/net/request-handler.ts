/** What a protocol consists of for a connection: a decoder of requests, and a handler that replies to them. */
import type { Lookup } from "../store/lookup.ts";

/** Splits the input of one connection into requests. All methods but `write` and `keep` throw ProtocolError. */
export interface RequestDecoder {
  /** Octets that are not decoded yet. */
  readonly pending: number;
  /** Adds a chunk, which must stay unchanged until `keep`. */
  write(chunk: Buffer): void;
  /** Copies what is not decoded yet, because the last chunk is about to be overwritten. */
  keep(): void;
  /** The next request; null: more input is needed. */
  next(): string | null;
  /** Reports the end of the input. */
  end(): void;
}

/** Replies to the requests of a protocol. Its methods never throw or reject. */
export interface RequestHandler {
  /** The reply, synchronously where the store allows. @param client name of the client, for the audit log */
  respond(request: string, lookup: Lookup, client: string): string | Promise<string>;
  /** The reply to malformed input, the last one of its connection. @param fault message of the ProtocolError */
  refuse(fault: string, client: string): string;
}
