import { SpikeError, toSpikeError } from '@spike/error';

/** An error under the headline of the command that it happened in, in place of the one of its code. */
export class Headlined extends Error {
  override readonly name = 'Headlined';
  readonly headline: string;
  override readonly cause: SpikeError;

  constructor(headline: string, cause: SpikeError) {
    super(cause.message, { cause });
    this.headline = headline;
    this.cause = cause;
  }
}

/** Runs what speaks to something else than Nexus: when that is not to be reached, the headline says what it was. */
export async function withPeer<T>(peer: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = toSpikeError(thrown);
    if (error.code !== 'net_peer_connection' && error.code !== 'net_timeout') throw thrown;
    throw new Headlined(`Failed to connect to ${peer}`, error);
  }
}
