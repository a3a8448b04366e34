import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FlotillaError } from '../../src/core/errors.ts'
import type { FileTree } from '../../src/core/tree.ts'
import { sha256 } from '../../src/lib/hash.ts'

/** A tree in memory, of texts and bytes by path. */
export function treeOf(files: Readonly<Record<string, string | Uint8Array>>): FileTree {
  const contents = new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      typeof content === 'string' ? Buffer.from(content) : content,
    ]),
  )
  return {
    files: [...contents]
      .map(([path, bytes]) => ({ path, size: bytes.byteLength, sha256: sha256(bytes) }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    read(path) {
      const bytes = contents.get(path)
      if (bytes === undefined) return Promise.reject(new FlotillaError('SOURCE_VANISHED', `${path} is gone`))
      return Promise.resolve(bytes)
    },
  }
}

/** Every file under a folder, by its path relative to it. */
export function filesUnder(folder: string): Record<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    names.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [path.slice(folder.length + 1), readFileSync(path)]
    }),
  )
}

/** A small definition that checks clean; `inside` goes before its end tag. */
export function gridDataset(id: string, inside = ''): string {
  return `<dataset type="EDDGridFromNcFiles" datasetID="${id}" active="true">
  <reloadEveryNMinutes>10080</reloadEveryNMinutes>
  <fileDir>/data/${id}/</fileDir>
  <fileNameRegex>.*\\.nc</fileNameRegex>
  <addAttributes>
    <att name="title">Title of ${id}</att>
    <att name="summary">First line.
Second line, with ° and é.</att>
  </addAttributes>
  <axisVariable>
    <sourceName>t</sourceName>
    <destinationName>time</destinationName>
    <addAttributes>
      <att name="units">days since 1970-01-01</att>
    </addAttributes>
  </axisVariable>
  <dataVariable>
    <sourceName>temp</sourceName>
    <destinationName>temperature</destinationName>
    <dataType>float</dataType>
    <addAttributes>
      <att name="units">degree_C</att>
      <att name="long_name">Temperature</att>
    </addAttributes>
  </dataVariable>
  <dataVariable>
    <sourceName>salt</sourceName>
    <destinationName>salinity</destinationName>
    <dataType>float</dataType>
    <addAttributes>
      <att name="units">PSU</att>
    </addAttributes>
  </dataVariable>${inside}
</dataset>
`
}
