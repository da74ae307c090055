startTheme();
const openCell = startDetail();
startTable((number) => openCell(number).catch((fault) => tell(`The evidence of this cell could not be opened: ${fault.message}`)));
const linked = /^#cell=(\d+)$/.exec(location.hash);
if (linked) openCell(Number(linked[1])).catch((fault) => tell(`The evidence of this cell could not be opened: ${fault.message}`));
