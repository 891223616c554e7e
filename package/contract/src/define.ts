import type { ErrorCode } from '@spike/error';
import type { z } from 'zod';
import type { Guard } from './guard.ts';

/** `unlocked`: needs the root key. `restoring`: is answered as well while a backup is restored. `ceremony`: also with the key of a Bootstrap ceremony. `any`: answered before there is one. */
export type Need = 'unlocked' | 'restoring' | 'ceremony' | 'any';

export interface Limits {
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** From the request's arrival to its answer. */
  readonly deadlineMs: number;
}

type ZeroField = null | boolean | number | string;

/** How a route says that it failed: its own answer with zero fields, and the code (wire.md 1.3). */
export interface ErrorShape {
  readonly zero: Readonly<Record<string, ZeroField | Readonly<Record<string, ZeroField>>>>;
  /** `Err` is the original's spelling on one route of the Keeper. */
  readonly field: 'err' | 'Err';
  /** The field stands in good answers, too, as an empty text. */
  readonly always: boolean;
}

/** A request and its answer as plain bytes. What is parsed comes from a stranger; both throw SpikeError. */
export interface OctetForm<Input, Output> {
  parseRequest(body: Uint8Array): Input;
  formatRequest(input: Input): Uint8Array;
  parseResponse(body: Uint8Array): Output;
  formatResponse(output: Output): Uint8Array;
}

/** Makes the same of an object as the schemas do, or nothing: then they judge it. */
export interface QuickForm<Input, Output> {
  parseRequest(fields: Readonly<Record<string, unknown>>): Input | undefined;
  formatResponse(output: Output): Record<string, unknown> | undefined;
}

export interface Route<
  Request extends z.ZodObject = z.ZodObject,
  Response extends z.ZodObject = z.ZodObject,
  G = Guard,
> {
  /** Always POST. */
  readonly path: `/${string}`;
  /** First value of the query's `action`; empty when there is none. */
  readonly action: string;
  readonly summary: string;
  readonly guard: G;
  readonly need: Need;
  readonly limits: Limits;
  /** What it is called in the audit. */
  readonly audit: string;
  /** A field of the request that its record names besides the path. Never one that holds a secret. */
  readonly subject?: string;
  /** Asking twice does what asking once does, so a client may ask again when it does not know. */
  readonly repeatable: boolean;
  /** The routes of the Go original ignore fields that they do not know and take null for absent; new ones refuse both. */
  readonly unknownFields: 'ignore' | 'refuse';
  readonly request: Request;
  readonly response: Response;
  readonly error: ErrorShape;
  /** Codes of its own, besides those that any route may answer. */
  readonly fails?: readonly ErrorCode[];
  /** For a route that takes `application/octet-stream` besides JSON; the others speak JSON alone. */
  readonly octets?: OctetForm<z.output<Request>, z.output<Response>>;
  /** For a route that is asked for so often that the plain cases have a way of their own. */
  readonly quick?: QuickForm<z.output<Request>, z.output<Response>>;
}

export type Table = Readonly<Record<string, Route>>;

/** What a handler gets and a client gives. */
export type InputOf<R> = R extends { request: infer S extends z.ZodObject } ? z.output<S> : never;
/** What a handler answers and a client gets. */
export type OutputOf<R> = R extends { response: infer S extends z.ZodObject } ? z.output<S> : never;

/** Writes down one route. There is none without a guard, a limit or a name in the audit. */
export function route<
  Request extends z.ZodObject,
  Response extends z.ZodObject,
  const G extends Guard<z.output<Request>>,
>(definition: Route<Request, Response, G>): Route<Request, Response, G> {
  return Object.freeze(definition);
}
