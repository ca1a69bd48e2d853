def test_everything_fits_into_memory():
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))
