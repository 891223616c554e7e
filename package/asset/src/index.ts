export { assetProtocol, readAsset } from './asset.ts';
export { startThread } from './thread.ts';
