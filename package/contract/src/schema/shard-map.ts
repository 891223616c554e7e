import { z } from 'zod';
import { shard } from './field.ts';

const ids = z.custom<ReadonlyMap<number, Uint8Array>>((value) => value instanceof Map);

/** Go's `map[int]*[32]byte`: shares by their id, which JSON makes a decimal text. */
export const shardMap = z.codec(z.record(z.string(), z.array(z.number())), ids, {
  decode: (record, context) => {
    const shares = new Map<number, Uint8Array>();
    for (const [key, numbers] of Object.entries(record)) {
      const id = /^[1-9][0-9]{0,3}$/.test(key) ? Number(key) : undefined;
      const share = shard.safeDecode(numbers);
      if (id === undefined || !share.success) {
        context.issues.push({ code: 'custom', message: 'has to be shares by their ids', input: undefined });
        return z.NEVER;
      }
      shares.set(id, share.data);
    }
    return shares;
  },
  encode: (shares) => Object.fromEntries([...shares].map(([id, share]) => [String(id), shard.encode(share)])),
});
