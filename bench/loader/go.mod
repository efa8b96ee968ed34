module portico.invalid/bench/loader

go 1.25
