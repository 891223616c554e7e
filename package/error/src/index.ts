export { codeTable, isErrorCode, type CodeRow, type ErrorCode } from './code.ts';
export { SpikeError, toSpikeError, untilLater, type ErrorDetail } from './error.ts';
