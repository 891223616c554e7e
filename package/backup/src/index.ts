export {
  backupFormat,
  damagedBackup,
  type BackupHeader,
  type BackupTrailer,
  type Frame,
  type TableCount,
} from './format.ts';
export { BackupParser } from './parser.ts';
export { BackupWriter, type BackupSeal } from './writer.ts';
