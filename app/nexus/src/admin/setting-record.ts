import { damaged, decodeRecord, encodeRecord, readNumber, readText } from '../service/record.ts';

/** What the second layer keeps in the table of settings, one record of each kind. */
export type Setting =
  /** There is an administrator; written once, from absent. `at` is of the wall clock. */
  | { readonly kind: 'initialised'; readonly at: number; readonly by: string; readonly spiffeId: string }
  /** HMAC of the code that `init` asks for, and how many more wrong ones it bears. */
  | { readonly kind: 'init-code'; readonly mac: string; readonly triesLeft: number };

export type SettingKind = Setting['kind'];

export function encodeSetting(setting: Setting): Uint8Array {
  return encodeRecord(setting);
}

/** Throws SpikeError `store_integrity`. */
export function decodeSetting(bytes: Uint8Array): Setting {
  const record = decodeRecord(bytes);
  switch (record['kind']) {
    case 'initialised':
      return {
        kind: 'initialised',
        at: readNumber(record, 'at'),
        by: readText(record, 'by'),
        spiffeId: readText(record, 'spiffeId'),
      };
    case 'init-code':
      return { kind: 'init-code', mac: readText(record, 'mac'), triesLeft: readNumber(record, 'triesLeft') };
    default:
      throw damaged('a setting is of a kind that this release does not know');
  }
}
