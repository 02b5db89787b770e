package load

const Aggregated = "Aggregated"
