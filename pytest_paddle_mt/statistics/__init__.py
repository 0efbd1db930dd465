"""Pure statistics: functions from records and arrays to numbers. Nothing here measures, prints or keeps state."""
