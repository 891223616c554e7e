import type { Schema } from './schema.ts';

/** One rpc of a service, as both sides see it. */
export interface Method<Request, Response> {
  /** `/Service/Method`. */
  readonly path: string;
  readonly kind: 'unary' | 'stream';
  readonly request: Schema<Request>;
  readonly response: Schema<Response>;
}
