export const TRANSFORMATIONS: [id: string, name: string, help: string][] = [
  ['organize', 'Organize columns', 'Hide, rename and reorder columns.'],
  ['merge', 'Merge', 'Put several tables into one, joining rows that share all their common columns.'],
  ['joinByField', 'Join by column', 'Put several tables side by side where a column is equal.'],
  ['groupBy', 'Group by', 'A row for each distinct value, the other columns aggregated.'],
  ['filterFieldsByName', 'Filter columns by name', 'Keep or drop columns.'],
  ['renameByRegex', 'Rename by pattern', 'Change names by a regular expression.'],
  ['calculateField', 'Add a calculated column', 'From other columns of the row, or from running over a column.'],
  ['reduce', 'Reduce', 'Each column to one value.'],
  ['sortBy', 'Sort by', 'Order rows by a column.'],
  ['labelsToFields', 'Labels to columns', 'A column for each label.'],
  ['extractFields', 'Extract columns', 'Take JSON or key=value text apart.'],
  ['filterByValue', 'Filter rows', 'Keep or drop rows by their values.'],
  ['filterByRefId', 'Filter queries', 'Keep only the results of some queries.'],
  ['convertFieldType', 'Convert type', 'Texts to numbers or times, and back.'],
  ['timeSeriesTable', 'Series to table', 'A row for each series, with a sparkline.'],
  ['prepareTimeSeries', 'Prepare series', 'Wide, many or long form.'],
  ['groupingToMatrix', 'Matrix', 'Rows, columns and values from three columns.'],
  ['seriesToRows', 'Series to rows', 'Time, metric and value as rows.'],
  ['joinByLabels', 'Join by labels', 'A row for each set of labels, a column for each value of one label.'],
  ['limit', 'Limit', 'The first rows only.'],
  ['concatenate', 'Concatenate', 'All columns side by side.'],
  ['transpose', 'Transpose', 'Rows to columns.'],
  ['rowsToFields', 'Rows to columns', 'Each row a column of its own.'],
  ['partitionByValues', 'Partition', 'A table for each distinct value.'],
  ['groupToNestedTable', 'Group to nested table', 'As group by, with the rows of each group to unfold below it.'],
  ['heatmap', 'Heat map', 'Count values in cells of time and value.'],
  ['regression', 'Trend line', 'A line or polynomial through a column.'],
  ['smoothing', 'Smoothing', 'A smoother line beside each, on which what stands out still does.'],
  ['histogram', 'Histogram', 'Count values in buckets.'],
  ['formatString', 'Format text', 'Upper, lower and other cases.'],
  ['formatTime', 'Format time', 'Times as text.'],
  ['configFromData', 'Configuration from a query', 'Units, limits and thresholds from a result.'],
];

/** Older ids of the same thing. */
export const ALIASES: Record<string, string> = { seriesToColumns: 'joinByField', filterFields: 'filterFieldsByName', append: 'concatenate', noop: 'noop' };

/** Those that have no meaning here, and why. */
export const PASSED_OVER: Record<string, string> = {
  fieldLookup: 'it adds places for maps, which are not drawn here.',
  spatial: 'it is for maps, which are not drawn here.',
  convertFrameType: 'frames have no such type here; queries of exemplars and annotations give them as they are.',
};

export function isKnownTransformation(id: string): boolean {
  return id in ALIASES || TRANSFORMATIONS.some(([k]) => k === id);
}
