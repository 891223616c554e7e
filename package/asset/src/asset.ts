import { readFile } from 'node:fs/promises';
import { getAsset } from 'node:sea';

/** Of the URLs that the build of an executable puts in the place of those of files beside the code. */
export const assetProtocol = 'asset:';

/** A text that lies beside the code: in the source tree, or inside of the executable. */
export async function readAsset(url: URL): Promise<string> {
  return url.protocol === assetProtocol ? getAsset(url.pathname, 'utf8') : await readFile(url, 'utf8');
}
