/** Where a part says what it does. Fields are data, never secrets; the message is a constant text. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>

/** For parts that have nobody to tell: tests and one-shot commands. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
