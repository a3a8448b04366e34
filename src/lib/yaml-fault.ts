import { CST, LineCounter, Parser } from 'yaml'

export interface YamlFault {
  readonly message: string
  readonly line: number
  readonly column: number
}

const DEPTH_MAX = 64
const KEYS_MAX = 1000

/**
 * What in a text would cost the package `yaml` more than it is worth: it reads what is nested by calling itself, and
 * compares each key of a mapping with all others. Asked before it reads the text; its parser of tokens, used here, does
 * neither.
 */
export function yamlFault(text: string): YamlFault | undefined {
  const lines = new LineCounter()
  const faultAt = (message: string, offset: number): YamlFault => {
    const { line, col } = lines.linePos(offset)
    return { message, line, column: col }
  }
  for (const document of new Parser(lines.addNewLine).parse(text)) {
    const ahead = [{ token: document.type === 'document' ? document.value : undefined, depth: 1 }]
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      const { token, depth } = next
      if (!CST.isCollection(token)) continue
      if (depth > DEPTH_MAX) return faultAt(`the file is nested deeper than ${DEPTH_MAX}`, token.offset)
      if (isMapping(token) && token.items.length > KEYS_MAX)
        return faultAt(`a mapping has more than ${KEYS_MAX} keys`, token.offset)
      for (const { key, value } of token.items) {
        if (CST.isCollection(key)) ahead.push({ token: key, depth: depth + 1 })
        if (CST.isCollection(value)) ahead.push({ token: value, depth: depth + 1 })
      }
    }
  }
  return undefined
}

function isMapping(token: CST.BlockMap | CST.BlockSequence | CST.FlowCollection): boolean {
  return token.type === 'block-map' || (token.type === 'flow-collection' && token.start.type === 'flow-map-start')
}
