/**
 * Starts a command as a user to whom permissions apply: root without its powers to pass over them. Another user could not
 * even reach a clone that lies in a folder of root's own.
 */
export function powerless(command: readonly string[]): readonly [program: string, args: string[]] {
  return ['setpriv', ['--bounding-set=-dac_override,-dac_read_search,-fowner', ...command]]
}
