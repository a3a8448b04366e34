/** The shortest definition that passes every check. */
export function smallDataset(id: string): string {
  const att = (name: string, value: string): string => `<att name="${name}">${value}</att>`
  const attributes = [att('cdm_data_type', 'Other'), att('infoUrl', 'https://example.org'), att('institution', 'X')]
  return `<dataset type="EDDTableFromAsciiFiles" datasetID="${id}" active="true">
<fileDir>/data/</fileDir><fileNameRegex>.*</fileNameRegex>
<addAttributes>${attributes.join('')}${att('summary', 'S')}${att('title', 'T')}</addAttributes>
<dataVariable><sourceName>a</sourceName><destinationName>a</destinationName><dataType>int</dataType></dataVariable>
</dataset>
`
}
