/** The values of such a setting, as ERDDAP separates them. */
export function listValues(content: string): readonly string[] {
  return content
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '')
}
